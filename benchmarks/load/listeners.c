/* N listeners over one epoll loop, each comparing every byte that it hears with the file it expects.
 *
 * usage: listeners MODE PORT N RAMP STEADY STALL TARGET [FILE]
 *   MODE    sio: Socket.IO over WebSocket, TARGET is a stream id; ws: plain WebSocket, TARGET is a path; http: GET TARGET;
 *           wait: as sio, for a stream that is announced later: who waits counts as joined, and when all have received
 *           audio it prints {"heard": true}
 *   RAMP    listeners that join per second; 0: as many as the server takes, with JOINING of them joining at a time
 *   STEADY  seconds to go on after the last one joined
 *   STALL   1: every listener stops reading after its first chunk
 * Prints {"ramped": true} when all have joined and heard something, then one JSON line with the result. "steady" figures
 * count from that moment on. */
#define _GNU_SOURCE
#include "connection.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NAMESPACE "/api/v1/podcasts/stream"
static const char *HOST = "127.0.0.1";
enum { EVENTS = 1024, RAMP_PATIENCE_SECONDS = 60, JOINING = 64 };

typedef struct {
    Connection connection;
    double joined, first, last, longest_gap;
    uint64_t offset;
    bool ended;
} Listener;

static const char *mode, *target;
static int epoll, port;
static bool stall, steady, waits, all_heard;
static const uint8_t *expected;
static size_t expected_length;
static char last_problem[160];
static struct {
    uint64_t waiting, heard_first, ended, problems, bytes, chunks, mismatches, steady_bytes, steady_chunks;
} count;

static void joined(Listener *listener) { listener->joined = seconds_now(); }

static void on_open(Connection *connection) {
    if (strcmp(mode, "sio") != 0) joined(connection->owner);
}

static void problem(const char *text) {
    count.problems++;
    snprintf(last_problem, sizeof last_problem, "%.150s", text);
    for (char *c = last_problem; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ') *c = '\'';
}

static void on_text(Connection *connection, const char *text) {
    Listener *listener = connection->owner;
    char reply[512];
    if (strstr(text, "end_of_stream")) {
        listener->ended = true;
        count.ended++;
    } else if (strstr(text, "error")) {
        problem(text);
    } else if (strcmp(mode, "sio") != 0) {
        return;
    } else if (text[0] == '0') {
        connection_send_text(connection, "40" NAMESPACE ",");
    } else if (strcmp(text, "2") == 0) {
        connection_send_text(connection, "3");
    } else if (strncmp(text, "40", 2) == 0) {
        snprintf(reply, sizeof reply, "42" NAMESPACE ",[\"join_stream\",{\"stream_id\":\"%s\"%s}]", target,
                 waits ? ",\"wait\":true" : "");
        joined(listener);
        connection_send_text(connection, reply);
    } else if (waits && strstr(text, "\"waiting\"")) {
        count.waiting++;
    }
}

static void on_audio(Connection *connection, const uint8_t *bytes, size_t length, bool complete) {
    Listener *listener = connection->owner;
    if (expected && (listener->offset + length > expected_length ||
                     memcmp(expected + listener->offset, bytes, length) != 0))
        count.mismatches++;
    listener->offset += length;
    count.bytes += length;
    count.chunks += complete;
    if (steady) {
        count.steady_bytes += length;
        count.steady_chunks += complete;
    }
    double now = seconds_now();
    if (listener->first == 0) {
        listener->first = now;
        count.heard_first++;
        if (stall) epoll_ctl(epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    } else if (now - listener->last > listener->longest_gap) {
        listener->longest_gap = now - listener->last;
    }
    listener->last = now;
}

static void on_close(Connection *connection, const char *reason) {
    Listener *listener = connection->owner;
    if (listener->ended) return;
    if (strcmp(mode, "http") == 0 && listener->first > 0 && strcmp(reason, "end") == 0) {
        listener->ended = true;
        count.ended++;
    } else {
        problem(reason);
    }
}

/* How many listeners may have been started by now. */
static double started_by_now(double seconds, double ramp) {
    if (ramp > 0) return seconds * ramp;
    return (double)((waits ? count.waiting : count.heard_first) + count.problems + JOINING);
}

static void report(Listener *listeners, int n, double steady_seconds) {
    double *first = malloc(sizeof(double) * (size_t)n), *gaps = malloc(sizeof(double) * (size_t)n);
    size_t heard = 0;
    for (int i = 0; i < n; i++) {
        if (listeners[i].first == 0) continue;
        first[heard] = (listeners[i].first - listeners[i].joined) * 1e3;
        gaps[heard++] = listeners[i].longest_gap * 1e3;
    }
    printf("{\"listeners\": %d, \"heard\": %zu, \"ended\": %lu, \"problems\": %lu, \"mismatches\": %lu, "
           "\"bytes\": %lu, \"chunks\": %lu, \"steady_seconds\": %.3f, \"steady_bytes\": %lu, \"steady_chunks\": %lu, "
           "\"first_ms_p50\": %.2f, \"first_ms_p99\": %.2f, \"gap_ms_p50\": %.1f, \"gap_ms_p99\": %.1f, "
           "\"gap_ms_max\": %.1f, \"last_problem\": \"%s\"}\n",
           n, heard, count.ended, count.problems, count.mismatches, count.bytes, count.chunks, steady_seconds,
           count.steady_bytes, count.steady_chunks, percentile(first, heard, .5), percentile(first, heard, .99),
           percentile(gaps, heard, .5), percentile(gaps, heard, .99), percentile(gaps, heard, 1), last_problem);
}

int main(int argc, char **argv) {
    if (argc < 8) {
        fprintf(stderr, "usage: %s MODE PORT N RAMP STEADY STALL TARGET [FILE]\n", argv[0]);
        return 2;
    }
    waits = strcmp(argv[1], "wait") == 0;
    mode = waits ? "sio" : argv[1];
    port = atoi(argv[2]);
    int n = atoi(argv[3]);
    double ramp = atof(argv[4]), steady_wanted = atof(argv[5]);
    stall = atoi(argv[6]) != 0;
    target = argv[7];
    if (argc > 8) expected = map_file(argv[8], &expected_length);
    raise_file_limit();
    setvbuf(stdout, NULL, _IOLBF, 0);

    bool plain = strcmp(mode, "http") == 0;
    char request[1024];
    if (plain)
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n", target, HOST, port);
    else
        websocket_request(request, sizeof request,
                          strcmp(mode, "sio") == 0 ? "/socket.io/?EIO=4&transport=websocket" : target, HOST, port);

    epoll = epoll_create1(0);
    Listener *listeners = calloc((size_t)n, sizeof *listeners);
    struct epoll_event events[EVENTS];
    int started = 0;
    double begin = seconds_now(), steady_from = 0;
    while (!steady || seconds_now() - steady_from < steady_wanted) {
        while (started < n && started < started_by_now(seconds_now() - begin, ramp)) {
            Listener *listener = &listeners[started++];
            listener->connection = (Connection){.websocket = !plain, .owner = listener, .on_open = on_open,
                                                .on_text = on_text, .on_audio = on_audio, .on_close = on_close};
            connection_start(&listener->connection, HOST, port, epoll);
        }
        bool given_up = seconds_now() - begin > (ramp > 0 ? n / ramp : n) + RAMP_PATIENCE_SECONDS;
        if (!steady && started == n && ((waits ? count.waiting : count.heard_first) + count.problems >= (uint64_t)n || given_up)) {
            steady = true;
            steady_from = seconds_now();
            puts("{\"ramped\": true}");
        }
        if (steady && waits && !all_heard && count.heard_first >= (uint64_t)n) {
            all_heard = true;
            puts("{\"heard\": true}");
        }
        if (steady && count.ended + count.problems >= (uint64_t)n) break;
        int ready = epoll_wait(epoll, events, EVENTS, started < n ? 1 : 20);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            if (connection->phase == CONNECTING)
                connection_writable(connection, request, epoll);
            else if (connection->phase != CLOSED)
                connection_read(connection, epoll);
        }
    }
    report(listeners, n, seconds_now() - steady_from);
    return 0;
}
