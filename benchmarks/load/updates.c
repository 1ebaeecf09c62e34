/* UI updates: backends POST them, subscribers receive them, the time between is measured.
 *
 * usage: updates PORT SUBSCRIBERS POSTERS RATE SECONDS BATCH [lines]
 *   RATE   requests a second over all posters; 0: each poster sends the next one when the last was answered
 *   BATCH  updates in one request; with 1 they go to send_ui_update, with more to send_ui_updates
 *   lines  each poster has one request, and sends an update a line: BATCH is how many wait for their answer, RATE is 0
 * Prints {"ramped": true} when all have subscribed, then one JSON line with the result. */
#define _GNU_SOURCE
#include "connection.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAMESPACE "/ui_updates"
static const char *HOST = "127.0.0.1";
enum { EVENTS = 1024, MAX_UPDATES = 4000000, PATIENCE_SECONDS = 5, MAX_BATCH = 50, MAX_BODY = 320 * MAX_BATCH };

typedef struct {
    Connection connection;
    int number;
    bool is_poster, ready, has_head;
    int to_send; /* lines */
} Peer;

static int epoll, port, subscribers, batch;
static double *latencies;
static size_t received, answered, posted, problems, not_ok;
static int subscribed;
static bool by_line;

static void on_open(Connection *connection) { (void)connection; }
static void on_audio(Connection *connection, const uint8_t *bytes, size_t length, bool complete) {
    (void)connection, (void)bytes, (void)length, (void)complete;
}
static void on_close(Connection *connection, const char *reason) {
    (void)connection;
    fprintf(stderr, "closed: %.200s\n", reason);
    problems++;
}

static void on_text(Connection *connection, const char *text) {
    Peer *peer = connection->owner;
    char reply[256];
    const char *sent;
    if (text[0] == '0') {
        connection_send_text(connection, "40" NAMESPACE ",");
    } else if (strcmp(text, "2") == 0) {
        connection_send_text(connection, "3");
    } else if (strncmp(text, "40", 2) == 0) {
        snprintf(reply, sizeof reply, "42" NAMESPACE ",[\"subscribe_to_ui_updates\",{\"client_id\":\"client-%d\"}]",
                 peer->number);
        connection_send_text(connection, reply);
    } else if (strstr(text, "subscribed_ui_updates")) {
        subscribed++;
    } else if ((sent = strstr(text, "\"sent\":")) != NULL && received < MAX_UPDATES) {
        latencies[received++] = (seconds_now() - atof(sent + 7)) * 1e3;
    }
}

static int write_update(char *text, size_t size, const char *before, const char *after) {
    int length = snprintf(text, size,
                          "%s{\"client_id\":\"client-%zu\",\"event_name\":\"generation_progress\",\"data\":{\"sent\":%.9f,"
                          "\"percentage\":50,\"current_step\":\"script_generation\",\"podcast_id\":\"task_uuid_123\"}}%s",
                          before, posted % (size_t)subscribers, seconds_now(), after);
    posted++;
    return length;
}

/* Send as many lines as have been answered, each in a chunk of its own. */
static void post_lines(Peer *peer) {
    static char pieces[MAX_BODY];
    char line[512];
    int size = 0;
    if (!peer->has_head && peer->to_send == batch)
        size = snprintf(pieces, sizeof pieces,
                        "POST /asf/internal/send_ui_updates HTTP/1.1\r\nHost: %s\r\n"
                        "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n",
                        HOST);
    for (; peer->to_send > 0; peer->to_send--) {
        int length = write_update(line, sizeof line, "", "\n");
        size += snprintf(pieces + size, sizeof pieces - (size_t)size, "%x\r\n%s\r\n", (unsigned)length, line);
    }
    peer->ready = false;
    if (send(peer->connection.fd, pieces, (size_t)size, MSG_NOSIGNAL) != size) problems++;
}

static void post(Peer *peer) {
    static char body[MAX_BODY], request[MAX_BODY + 512];
    int length = batch > 1 ? snprintf(body, sizeof body, "{\"updates\":[") : 0;
    for (int i = 0; i < batch; i++) {
        length += write_update(body + length, sizeof body - (size_t)length, i ? "," : "", "");
    }
    if (batch > 1) length += snprintf(body + length, sizeof body - (size_t)length, "]}");
    int size = snprintf(request, sizeof request,
                        "POST /asf/internal/send_ui_update%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                        "Content-Length: %d\r\n\r\n%s",
                        batch > 1 ? "s" : "", HOST, length, body);
    peer->ready = false;
    if (send(peer->connection.fd, request, (size_t)size, MSG_NOSIGNAL) != size) problems++;
}

/* Count the answers that have arrived completely: the lines with an object. */
static void read_answer_lines(Peer *peer) {
    Connection *connection = &peer->connection;
    char *start = connection->text, *end;
    if (!peer->has_head) {
        if ((end = strstr(start, "\r\n\r\n")) == NULL) return;
        if (strncmp(start + 9, "200", 3) != 0) not_ok++;
        start = end + 4;
        peer->has_head = true;
    }
    for (; (end = strchr(start, '\n')) != NULL; start = end + 1) {
        if (*start != '{') continue;
        if (strncmp(start, "{\"duplicate\":false", 18) != 0) not_ok++;
        answered++;
        peer->to_send++;
    }
    connection->text_length = strlen(start);
    memmove(connection->text, start, connection->text_length + 1);
    peer->ready = peer->to_send > 0;
}

static void read_answer(Peer *peer) {
    Connection *connection = &peer->connection;
    ssize_t got = recv(connection->fd, connection->text + connection->text_length,
                       MAX_TEXT - connection->text_length, 0);
    if (got <= 0) {
        connection_close(connection, epoll, "a poster lost its connection");
        return;
    }
    connection->text_length += (size_t)got;
    connection->text[connection->text_length] = 0;
    if (by_line) {
        read_answer_lines(peer);
        return;
    }
    char *end = strstr(connection->text, "\r\n\r\n");
    char *declared = strcasestr(connection->text, "content-length:");
    if (!end || !declared || connection->text_length < (size_t)(end + 4 - connection->text) + (size_t)atoi(declared + 15))
        return;
    if (strncmp(connection->text + 9, "200", 3) != 0 || strstr(connection->text, "\"error\"")) not_ok++;
    connection->text_length = 0;
    peer->ready = true;
    answered += (size_t)batch;
}

int main(int argc, char **argv) {
    if (argc < 7 || atoi(argv[6]) < 1 || atoi(argv[6]) > MAX_BATCH) {
        fprintf(stderr, "usage: %s PORT SUBSCRIBERS POSTERS RATE SECONDS BATCH (1 to %d) [lines]\n", argv[0], MAX_BATCH);
        return 2;
    }
    port = atoi(argv[1]);
    subscribers = atoi(argv[2]);
    int posters = atoi(argv[3]), all = subscribers + posters;
    double rate = atof(argv[4]), wanted = atof(argv[5]);
    batch = atoi(argv[6]);
    by_line = argc > 7 && strcmp(argv[7], "lines") == 0;
    raise_file_limit();
    setvbuf(stdout, NULL, _IOLBF, 0);
    latencies = malloc(sizeof *latencies * MAX_UPDATES);
    epoll = epoll_create1(0);
    Peer *peers = calloc((size_t)all, sizeof *peers);
    char upgrade[1024];
    websocket_request(upgrade, sizeof upgrade, "/socket.io/?EIO=4&transport=websocket", HOST, port);
    for (int i = 0; i < all; i++) {
        peers[i].number = i;
        peers[i].is_poster = i >= subscribers;
        peers[i].connection = (Connection){.websocket = true, .owner = &peers[i], .on_open = on_open,
                                           .on_text = on_text, .on_audio = on_audio, .on_close = on_close};
        connection_start(&peers[i].connection, HOST, port, epoll);
    }
    struct epoll_event events[EVENTS];
    double begin = 0;
    int next = subscribers;
    while (true) {
        double elapsed = begin == 0 ? 0 : seconds_now() - begin;
        bool all_there = answered == posted && received == posted;
        if (elapsed >= wanted && (all_there || elapsed >= wanted + PATIENCE_SECONDS)) break;
        if (begin == 0 && subscribed == subscribers) {
            puts("{\"ramped\": true}");
            begin = seconds_now();
        }
        for (int i = subscribers; begin != 0 && elapsed < wanted && i < all; i++) {
            if (rate > 0 && (double)posted / batch >= (seconds_now() - begin) * rate) break;
            Peer *peer = &peers[next];
            next = next + 1 < all ? next + 1 : subscribers;
            if (peer->ready) (by_line ? post_lines : post)(peer);
        }
        int ready = epoll_wait(epoll, events, EVENTS, 1);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            Peer *peer = connection->owner;
            if (connection->phase == CONNECTING && peer->is_poster) {
                connection_writable(connection, "", epoll);
                peer->ready = true;
                peer->to_send = batch;
            } else if (connection->phase == CONNECTING) {
                connection_writable(connection, upgrade, epoll);
            } else if (connection->phase != CLOSED) {
                if (peer->is_poster)
                    read_answer(peer);
                else
                    connection_read(connection, epoll);
            }
        }
    }
    printf("{\"subscribers\": %d, \"posted\": %zu, \"answered\": %zu, \"not_ok\": %zu, \"received\": %zu, \"problems\": %zu, "
           "\"seconds\": %.3f, \"relay_ms_p50\": %.2f, \"relay_ms_p99\": %.2f}\n",
           subscribers, posted, answered, not_ok, received, problems, seconds_now() - begin,
           percentile(latencies, received, .5), percentile(latencies, received, .99));
    return 0;
}
