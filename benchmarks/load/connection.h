/* One client connection that reads WebSocket frames (RFC 6455) or plain HTTP, without copying what it only counts.
 *
 * The owner sets `on_text` and `on_audio`; `connection_read` calls them for each message, and for each piece of audio as
 * it arrives. */
#ifndef CONNECTION_H
#define CONNECTION_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MAX_TEXT = 65536 };

typedef enum { CONNECTING, HANDSHAKE, FRAME_HEADER, FRAME_PAYLOAD, PLAIN_BODY, CLOSED } Phase;

typedef struct Connection {
    int fd;
    Phase phase;
    bool websocket;
    bool timestamped; /* set before connection_start: `arrived` is known */
    double arrived;   /* when the kernel received what is being read, in seconds since the Unix epoch */
    uint8_t header[10]; /* of the frame that is being read */
    size_t header_length;
    int opcode;
    uint64_t payload_left;
    char *text; /* a text message, or the head of the HTTP response, as far as it came */
    size_t text_length;
    void *owner;
    void (*on_open)(struct Connection *);
    void (*on_text)(struct Connection *, const char *text);
    void (*on_audio)(struct Connection *, const uint8_t *bytes, size_t length, bool message_complete);
    void (*on_close)(struct Connection *, const char *reason);
} Connection;

double seconds_now(void);
double wall_clock(void);
void connection_start(Connection *, const char *host, int port, int epoll);
void connection_writable(Connection *, const char *request, int epoll);
/* As recv(2); with `timestamped`, also sets when the last of the bytes arrived, however late this process reads them. */
ssize_t connection_receive(Connection *, void *buffer, size_t size);
void connection_read(Connection *, int epoll);
void connection_send_text(Connection *, const char *text);
void connection_close(Connection *, int epoll, const char *reason);
void websocket_request(char *out, size_t size, const char *path, const char *host, int port);
/* Returns the content of a file, and its length. Ends the program if it cannot be read. */
const uint8_t *map_file(const char *path, size_t *length);
void raise_file_limit(void);
int compare_doubles(const void *, const void *);
double percentile(double *values, size_t count, double fraction);
#endif
