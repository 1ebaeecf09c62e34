/* Connections that subscribe to the UI updates of one client, and check that each receives all of them, in order.
 *
 * usage: subscribers PORT N RAMP CLIENT BATCHES UPDATES BYTES
 *   RAMP     connections that are opened per second
 *   BATCHES  batches that are sent; each has UPDATES updates, named "update", with the data [batch, number, text]: both
 *            count from 0, and the text has BYTES bytes
 * Prints {"ramped": true} when all have subscribed, and at the end of the standard input, or when all have received
 * everything, one line of JSON. */
#define _GNU_SOURCE
#include "connection.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define NAMESPACE "/ui_updates"
static const char *HOST = "127.0.0.1", *MARK = "[\"update\",[";
enum { EVENTS = 1024, MAX_BATCHES = 8 };

typedef struct {
    Connection connection;
    long next[MAX_BATCHES];
    bool subscribed;
} Subscriber;

static const char *client;
static int batches, epoll;
static long updates, text_bytes, subscribed, received, wrong, problems;
static char last_problem[160];

static void on_open(Connection *connection) { (void)connection; }
static void on_audio(Connection *connection, const uint8_t *bytes, size_t length, bool complete) {
    (void)connection, (void)bytes, (void)length, (void)complete;
}

static void on_close(Connection *connection, const char *reason) {
    (void)connection;
    problems++;
    snprintf(last_problem, sizeof last_problem, "%.100s", reason);
}

static void take(Subscriber *subscriber, const char *data) {
    char *rest;
    long batch = strtol(data, &rest, 10), number = strtol(rest + 1, &rest, 10);
    bool known = batch >= 0 && batch < batches && subscriber->next[batch] == number;
    const char *text = rest + 2; /* behind ," */
    const char *end = strchr(text, '"');
    if (!known || end == NULL || end - text != text_bytes) wrong++;
    if (known) subscriber->next[batch]++;
    received++;
}

static void on_text(Connection *connection, const char *text) {
    char reply[512];
    const char *data;
    if (text[0] == '0') {
        connection_send_text(connection, "40" NAMESPACE ",");
    } else if (strcmp(text, "2") == 0) {
        connection_send_text(connection, "3");
    } else if (strncmp(text, "40", 2) == 0) {
        snprintf(reply, sizeof reply, "42" NAMESPACE ",[\"subscribe_to_ui_updates\",{\"client_id\":\"%s\"}]", client);
        connection_send_text(connection, reply);
    } else if (strstr(text, "subscribed_ui_updates")) {
        subscribed++;
    } else if ((data = strstr(text, MARK)) != NULL) {
        take(connection->owner, data + strlen(MARK));
    }
}

int main(int argc, char **argv) {
    if (argc < 8 || atoi(argv[5]) > MAX_BATCHES) {
        fprintf(stderr, "usage: %s PORT N RAMP CLIENT BATCHES UPDATES BYTES (at most %d batches)\n", argv[0], MAX_BATCHES);
        return 2;
    }
    int port = atoi(argv[1]), n = atoi(argv[2]), started = 0;
    double ramp = atof(argv[3]);
    client = argv[4];
    batches = atoi(argv[5]);
    updates = atol(argv[6]);
    text_bytes = atol(argv[7]);
    raise_file_limit();
    setvbuf(stdout, NULL, _IOLBF, 0);
    Subscriber *subscribers = calloc((size_t)n, sizeof *subscribers);
    epoll = epoll_create1(0);
    struct epoll_event events[EVENTS], input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    char request[1024];
    websocket_request(request, sizeof request, "/socket.io/?EIO=4&transport=websocket", HOST, port);
    double begin = seconds_now();
    bool ramped = false, open = true;
    while (open && problems + received < updates * batches * n) {
        while (started < n && started < (seconds_now() - begin) * ramp) {
            Subscriber *subscriber = &subscribers[started++];
            subscriber->connection = (Connection){.websocket = true, .owner = subscriber, .on_open = on_open,
                                                  .on_text = on_text, .on_audio = on_audio, .on_close = on_close};
            connection_start(&subscriber->connection, HOST, port, epoll);
        }
        if (!ramped && subscribed + problems >= n) {
            ramped = true;
            puts("{\"ramped\": true}");
        }
        int ready = epoll_wait(epoll, events, EVENTS, 1);
        for (int i = 0; i < ready; i++) {
            Connection *connection = events[i].data.ptr;
            if (connection == NULL) {
                char ignored[64];
                open = read(STDIN_FILENO, ignored, sizeof ignored) > 0;
            } else if (connection->phase == CONNECTING) {
                connection_writable(connection, request, epoll);
            } else if (connection->phase != CLOSED) {
                connection_read(connection, epoll);
            }
        }
    }
    printf("{\"connections\": %d, \"received\": %ld, \"wrong\": %ld, \"problems\": %ld, \"last_problem\": \"%s\"}\n", n, received,
           wrong, problems, last_problem);
    return 0;
}
