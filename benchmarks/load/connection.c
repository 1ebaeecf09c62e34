#define _GNU_SOURCE
#include "connection.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_TEXT = 1, FRAME_BINARY = 2, FRAME_CLOSE = 8, FRAME_PING = 9, FRAME_PONG = 10, PORTS_PER_ADDRESS = 20000 };

static uint8_t scratch[1 << 20];
static unsigned started;

double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

double wall_clock(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

const uint8_t *map_file(const char *path, size_t *length) {
    int file = open(path, O_RDONLY);
    struct stat status;
    if (file < 0 || fstat(file, &status) < 0) {
        perror(path);
        exit(2);
    }
    *length = (size_t)status.st_size;
    return mmap(NULL, *length, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file, 0);
}

void raise_file_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int compare_doubles(const void *left, const void *right) {
    double x = *(const double *)left, y = *(const double *)right;
    return (x > y) - (x < y);
}

double percentile(double *values, size_t count, double fraction) {
    if (count == 0) return -1;
    qsort(values, count, sizeof *values, compare_doubles);
    return values[(size_t)(fraction * (double)(count - 1))];
}

void websocket_request(char *out, size_t size, const char *path, const char *host, int port) {
    snprintf(out, size,
             "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
             path, host, port);
}

void connection_start(Connection *connection, const char *host, int port, int epoll) {
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int one = 1;
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connection->timestamped) setsockopt(connection->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
    /* One source address has some 28000 ports; more connections need more addresses of the loopback network. */
    struct sockaddr_in source = {.sin_family = AF_INET};
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + started++ / PORTS_PER_ADDRESS);
    bind(connection->fd, (struct sockaddr *)&source, sizeof source);
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    inet_pton(AF_INET, host, &target.sin_addr);
    connect(connection->fd, (struct sockaddr *)&target, sizeof target);
    connection->phase = CONNECTING;
    connection->text = malloc(MAX_TEXT + 1);
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event);
}

void connection_close(Connection *connection, int epoll, const char *reason) {
    if (connection->phase == CLOSED) return;
    epoll_ctl(epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    close(connection->fd);
    connection->phase = CLOSED;
    free(connection->text);
    connection->text = NULL;
    connection->on_close(connection, reason);
}

void connection_writable(Connection *connection, const char *request, int epoll) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0 || send(connection->fd, request, strlen(request), MSG_NOSIGNAL) < 0) {
        connection_close(connection, epoll, strerror(error ? error : errno));
        return;
    }
    connection->phase = HANDSHAKE;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
    epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void send_frame(Connection *connection, int opcode, const char *payload) {
    size_t length = strlen(payload), used = 0;
    uint8_t *frame = malloc(length + 14);
    frame[used++] = 0x80 | (uint8_t)opcode;
    if (length < 126) {
        frame[used++] = 0x80 | (uint8_t)length;
    } else {
        frame[used++] = 0x80 | 126;
        frame[used++] = (uint8_t)(length >> 8);
        frame[used++] = (uint8_t)length;
    }
    memset(frame + used, 0, 4); /* a mask of zeros leaves the payload as it is */
    memcpy(frame + used + 4, payload, length);
    send(connection->fd, frame, used + 4 + length, MSG_NOSIGNAL);
    free(frame);
}

void connection_send_text(Connection *connection, const char *text) { send_frame(connection, FRAME_TEXT, text); }

/* How long the header of a frame is, going by its first two bytes. */
static size_t header_size(const uint8_t *header) {
    int length = header[1] & 127;
    return length == 126 ? 4 : length == 127 ? 10 : 2;
}

static uint64_t payload_size(const uint8_t *header) {
    uint64_t size = header[1] & 127;
    if (size < 126) return size;
    size_t bytes = header_size(header) - 2;
    size = 0;
    for (size_t i = 0; i < bytes; i++) size = size << 8 | header[2 + i];
    return size;
}

static bool append_text(Connection *connection, const uint8_t *bytes, size_t length) {
    if (connection->text_length + length > MAX_TEXT) return false;
    memcpy(connection->text + connection->text_length, bytes, length);
    connection->text_length += length;
    connection->text[connection->text_length] = 0;
    return true;
}

/* Take what belongs to the current phase from the front of the bytes; return how much that was, or -1. */
static ssize_t consume(Connection *connection, const uint8_t *bytes, size_t length) {
    if (connection->phase == HANDSHAKE) {
        size_t before = connection->text_length;
        size_t part = length < MAX_TEXT - before ? length : MAX_TEXT - before;
        append_text(connection, bytes, part);
        char *end = strstr(connection->text, "\r\n\r\n");
        if (end == NULL) return part == length ? (ssize_t)length : -1;
        if (strncmp(connection->text + 9, connection->websocket ? "101" : "200", 3) != 0) return -1;
        size_t head = (size_t)(end + 4 - connection->text);
        connection->text_length = 0;
        connection->phase = connection->websocket ? FRAME_HEADER : PLAIN_BODY;
        connection->on_open(connection);
        return (ssize_t)(head - before);
    }
    if (connection->phase == PLAIN_BODY) {
        connection->on_audio(connection, bytes, length, true);
        return (ssize_t)length;
    }
    if (connection->phase == FRAME_HEADER) {
        size_t wanted = connection->header_length < 2 ? 2 : header_size(connection->header);
        size_t part = wanted - connection->header_length < length ? wanted - connection->header_length : length;
        memcpy(connection->header + connection->header_length, bytes, part);
        connection->header_length += part;
        if (connection->header_length >= 2 && connection->header_length == header_size(connection->header)) {
            connection->opcode = connection->header[0] & 15;
            connection->payload_left = payload_size(connection->header);
            connection->header_length = 0;
            connection->text_length = 0;
            connection->phase = FRAME_PAYLOAD;
        }
        return (ssize_t)part;
    }
    size_t part = connection->payload_left < length ? (size_t)connection->payload_left : length;
    connection->payload_left -= part;
    bool complete = connection->payload_left == 0;
    if (complete) connection->phase = FRAME_HEADER;
    if (connection->opcode == FRAME_CLOSE) return -1;
    if (connection->opcode == FRAME_PING && complete) send_frame(connection, FRAME_PONG, "");
    if (connection->opcode == FRAME_BINARY) {
        connection->on_audio(connection, bytes, part, complete);
    } else if (connection->opcode == FRAME_TEXT) {
        if (!append_text(connection, bytes, part)) return -1;
        if (complete) connection->on_text(connection, connection->text);
    }
    return (ssize_t)part;
}

ssize_t connection_receive(Connection *connection, void *buffer, size_t size) {
    if (!connection->timestamped) return recv(connection->fd, buffer, size, 0);
    char control[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec target = {.iov_base = buffer, .iov_len = size};
    struct msghdr message = {.msg_iov = &target, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t received = recvmsg(connection->fd, &message, 0);
    connection->arrived = wall_clock();
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); received > 0 && part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
        struct timespec time;
        memcpy(&time, CMSG_DATA(part), sizeof time);
        connection->arrived = (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
    }
    return received;
}

void connection_read(Connection *connection, int epoll) {
    ssize_t received = connection_receive(connection, scratch, sizeof scratch);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) {
        connection_close(connection, epoll, received == 0 ? "end" : strerror(errno));
        return;
    }
    for (ssize_t used = 0; used < received && connection->phase != CLOSED;) {
        ssize_t part = consume(connection, scratch + used, (size_t)(received - used));
        if (part < 0) {
            connection_close(connection, epoll, connection->phase == HANDSHAKE ? connection->text : "closed by the server");
            return;
        }
        used += part;
    }
}
