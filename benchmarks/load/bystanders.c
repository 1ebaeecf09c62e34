/* Listeners at the live edge of audio that this program writes, a third of them on each transport, and a client that
 * asks for /asf/health: what they experience while something else happens to the server.
 *
 * usage: bystanders PORT N RAMP STREAM CONTENT GROWING
 *   RAMP     listeners that join per second: Socket.IO, plain WebSocket, HTTP, in turn
 *   CONTENT  the file with the expected audio
 *   GROWING  the file to append it to, of the announced stream STREAM
 * Prints {"ramped": true} when all have received audio. Then each line on standard input starts a new window, and prints
 * the last one as a line of JSON; "drain": from now on the server may end sessions. Ends at the end of the input.
 *
 * All times are those at which the kernel received the bytes: this program may be late without a difference, unless
 * it is so late that it reads two pieces together, which counts as a gap. `client_lag_ms_max` is how late it was,
 * `writer_gap_ms_max` the longest time between two pieces that it wrote. */
#define _GNU_SOURCE
#include "connection.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACE "/api/v1/podcasts/stream"
static const char *HOST = "127.0.0.1";
enum { EVENTS = 1024, PIECE_BYTES = 1600, MAX_SAMPLES = 1 << 20, TRANSPORTS = 3 };
static const double PIECE_SECONDS = 0.1, HEALTH_SECONDS = 0.02;
static const char *NAMES[TRANSPORTS] = {"sio", "ws", "http"};

typedef struct {
    Connection connection;
    int transport;
    double last, longest_gap;
    uint64_t offset;
    bool ended;
    /* HTTP: what is left of the chunk (RFC 9112, section 7.1), or where in its size line the reader is. */
    uint64_t chunk_left;
    bool in_data;
} Listener;

static Listener *listeners;
static int epoll, port, n, started;
static const char *stream;
static const uint8_t *expected;
static size_t expected_length;
static bool draining, ramped;
static uint64_t heard, problems, mismatches, bytes, drained;
static char last_problem[160];
static double client_lag;

static int growing;
static size_t written;
static double written_at, writer_gap;

static Connection health;
static double health_due, *health_samples;
static size_t health_count;
static bool health_pending;

static void problem(const char *text) {
    problems++;
    snprintf(last_problem, sizeof last_problem, "%.150s", text);
    for (char *c = last_problem; *c; c++)
        if (*c == '"' || *c == '\\' || *c < ' ') *c = '\'';
}

static void note_gap(Listener *listener, double now) {
    if (listener->last > 0 && now - listener->last > listener->longest_gap) listener->longest_gap = now - listener->last;
}

static void end(Listener *listener, const char *reason) {
    if (listener->ended) return;
    listener->ended = true;
    if (draining)
        drained++;
    else
        problem(reason);
}

static void take(Listener *listener, const uint8_t *data, size_t length) {
    if (listener->offset + length > expected_length || memcmp(expected + listener->offset, data, length) != 0) mismatches++;
    if (listener->offset == 0) heard++;
    listener->offset += length;
    bytes += length;
    double arrived = listener->connection.arrived, lag = wall_clock() - arrived;
    note_gap(listener, arrived);
    listener->last = arrived;
    if (lag > client_lag) client_lag = lag;
}

static void take_chunked(Listener *listener, const uint8_t *data, size_t length) {
    for (size_t used = 0; used < length;) {
        if (listener->in_data && listener->chunk_left > 0) {
            size_t part = listener->chunk_left < length - used ? (size_t)listener->chunk_left : length - used;
            take(listener, data + used, part);
            listener->chunk_left -= part;
            used += part;
            continue;
        }
        char c = (char)data[used++];
        if (listener->in_data) { /* the line end behind the data */
            if (c == '\n') listener->in_data = false;
        } else if (c == '\n') {
            if (listener->chunk_left == 0) end(listener, "the response has ended");
            listener->in_data = true;
        } else if (c != '\r') {
            int digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;
            listener->chunk_left = listener->chunk_left * 16 + (uint64_t)digit;
        }
    }
}

static void on_audio(Connection *connection, const uint8_t *data, size_t length, bool complete) {
    (void)complete;
    Listener *listener = connection->owner;
    if (listener->transport == 2)
        take_chunked(listener, data, length);
    else
        take(listener, data, length);
}

static void on_text(Connection *connection, const char *text) {
    Listener *listener = connection->owner;
    char reply[512];
    if (strstr(text, "stream_error")) {
        note_gap(listener, connection->arrived);
        end(listener, text);
    } else if (strstr(text, "end_of_stream") || strstr(text, "\"error\"")) {
        problem(text);
    } else if (listener->transport != 0) {
        return;
    } else if (text[0] == '0') {
        connection_send_text(connection, "40" NAMESPACE ",");
    } else if (strcmp(text, "2") == 0) {
        connection_send_text(connection, "3");
    } else if (strncmp(text, "40", 2) == 0) {
        snprintf(reply, sizeof reply, "42" NAMESPACE ",[\"join_stream\",{\"stream_id\":\"%s\"}]", stream);
        connection_send_text(connection, reply);
    }
}

static void on_open(Connection *connection) { (void)connection; }
static void on_close(Connection *connection, const char *reason) { end(connection->owner, reason); }

static void start_listener(void) {
    Listener *listener = &listeners[started];
    listener->transport = started++ % TRANSPORTS;
    listener->connection = (Connection){.websocket = listener->transport != 2, .timestamped = true, .owner = listener,
                                        .on_open = on_open, .on_text = on_text, .on_audio = on_audio,
                                        .on_close = on_close};
    connection_start(&listener->connection, HOST, port, epoll);
}

static void request_for(Listener *listener, char *out, size_t size) {
    char path[512];
    snprintf(path, sizeof path, NAMESPACE "/%s", stream);
    if (listener->transport == 2)
        snprintf(out, size, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n", path, HOST, port);
    else
        websocket_request(out, size, listener->transport ? path : "/socket.io/?EIO=4&transport=websocket", HOST, port);
}

/* Requests that became due while another one waited have waited as well: each counts from when it was due. */
static void read_health(void) {
    static uint8_t answer[4096];
    ssize_t got = connection_receive(&health, answer, sizeof answer);
    if (got <= 0) {
        if (!draining) problem("the connection of the health check has ended");
        epoll_ctl(epoll, EPOLL_CTL_DEL, health.fd, NULL);
        health.phase = CLOSED;
        return;
    }
    if (strncmp((char *)answer, "HTTP/1.1 200", 12) != 0) problem("the health check has failed");
    double now = seconds_now() - (wall_clock() - health.arrived);
    health_pending = false;
    for (; health_due <= now; health_due += HEALTH_SECONDS)
        if (health_count < MAX_SAMPLES) health_samples[health_count++] = (now - health_due) * 1e3;
}

static void ask_health(double now) {
    static const char request[] = "GET /asf/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
    if (health.phase != PLAIN_BODY || health_pending || now < health_due) return;
    health_due = now; /* This process may be late itself. */
    health_pending = send(health.fd, request, sizeof request - 1, MSG_NOSIGNAL) > 0;
}

static void append(double now) {
    if (now - written_at < PIECE_SECONDS || written + PIECE_BYTES > expected_length) return;
    if (written > 0 && now - written_at > writer_gap) writer_gap = now - written_at;
    written_at = now;
    ssize_t wrote = write(growing, expected + written, PIECE_BYTES);
    if (wrote > 0) written += (size_t)wrote;
}

static void print_window(void) {
    double gaps[TRANSPORTS] = {0}, now = wall_clock();
    uint64_t behind = 0;
    for (int i = 0; i < started; i++) {
        Listener *listener = &listeners[i];
        if (!listener->ended) {
            note_gap(listener, now);
            if (written - listener->offset > behind) behind = written - listener->offset;
        }
        if (listener->longest_gap > gaps[listener->transport]) gaps[listener->transport] = listener->longest_gap;
        listener->longest_gap = 0;
    }
    printf("{\"listeners\": %d, \"problems\": %lu, \"mismatches\": %lu, \"bytes\": %lu, \"drained\": %lu, \"behind\": %lu",
           started, problems, mismatches, bytes, drained, behind);
    for (int i = 0; i < TRANSPORTS; i++) printf(", \"gap_ms_max_%s\": %.1f", NAMES[i], gaps[i] * 1e3);
    printf(", \"health_requests\": %zu, \"health_ms_p50\": %.1f, \"health_ms_p99\": %.1f, \"health_ms_max\": %.1f",
           health_count, percentile(health_samples, health_count, .5), percentile(health_samples, health_count, .99),
           percentile(health_samples, health_count, 1));
    printf(", \"client_lag_ms_max\": %.1f, \"writer_gap_ms_max\": %.1f, \"last_problem\": \"%s\"}\n", client_lag * 1e3,
           writer_gap * 1e3, last_problem);
    health_count = 0;
    client_lag = writer_gap = 0;
}

/* Read commands, and return whether there may be more. */
static bool read_commands(void) {
    char line[256];
    ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
    if (got <= 0) return false;
    line[got] = 0;
    draining |= strncmp(line, "drain", 5) == 0;
    print_window();
    return true;
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fprintf(stderr, "usage: %s PORT N RAMP STREAM CONTENT GROWING\n", argv[0]);
        return 2;
    }
    port = atoi(argv[1]);
    n = atoi(argv[2]);
    double ramp = atof(argv[3]);
    stream = argv[4];
    expected = map_file(argv[5], &expected_length);
    growing = open(argv[6], O_WRONLY | O_APPEND);
    raise_file_limit();
    setvbuf(stdout, NULL, _IOLBF, 0);
    listeners = calloc((size_t)n, sizeof *listeners);
    health_samples = malloc(sizeof *health_samples * MAX_SAMPLES);
    epoll = epoll_create1(0);
    struct epoll_event events[EVENTS], input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    health.timestamped = true;
    connection_start(&health, HOST, port, epoll);
    double begin = seconds_now();
    health_due = begin;
    while (true) {
        double now = seconds_now();
        append(now);
        ask_health(now);
        for (int burst = 0; burst < 8 && started < n && started < (now - begin) * ramp; burst++) start_listener();
        if (!ramped && started == n && heard + problems >= (uint64_t)n) {
            ramped = true;
            puts("{\"ramped\": true}");
        }
        int ready = epoll_wait(epoll, events, EVENTS, 1);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            if (connection == NULL) {
                if (!read_commands()) return 0;
            } else if (connection == &health) {
                if (health.phase == CONNECTING) {
                    connection_writable(&health, "", epoll);
                    health.phase = PLAIN_BODY;
                    health_due = seconds_now();
                } else if (health.phase == PLAIN_BODY) {
                    read_health();
                }
            } else if (connection->phase == CONNECTING) {
                char request[1024];
                request_for(connection->owner, request, sizeof request);
                connection_writable(connection, request, epoll);
            } else if (connection->phase != CLOSED) {
                connection_read(connection, epoll);
            }
        }
    }
}
