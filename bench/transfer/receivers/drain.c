// The receiver: connects CLIENTS times to 127.0.0.1:PORT and throws away what comes, without copying it
// to user space (MSG_TRUNC), until every connection has ended. It must never be the bottleneck.
//
//   drain PORT CLIENTS         prints the bytes received, as {"bytes":n}
//   drain PORT CLIENTS stall   never reads; leaves when its stdin ends
//   drain PORT CLIENTS narrow  the same, with segments and buffers so small that thousands fit into TCP's memory
//   drain PORT CLIENTS ack N   answers one byte for every N that came

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 20000
#define AT_ONCE (1 << 20)

static int fds[MOST];

static void die(const char *what) {
  perror(what);
  exit(1);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "drain PORT CLIENTS [stall | narrow | ack BYTES]\n"), 2;
  int clients = atoi(argv[2]);
  if (clients < 1 || clients > MOST) return fprintf(stderr, "1 to %d clients\n", MOST), 2;
  int narrow = argc > 3 && !strcmp(argv[3], "narrow");
  int stall = narrow || (argc > 3 && !strcmp(argv[3], "stall"));
  long ack = argc > 4 && !strcmp(argv[3], "ack") ? atol(argv[4]) : 0;
  alarm(600);

  int epoll = epoll_create1(0);
  if (epoll < 0) die("epoll_create1");
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < clients; i++) {
    int fd = fds[i] = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0) die("socket");
    if (narrow) {
      int segment = 1448, buffer = 16 << 10; // as over Ethernet; on loopback the sender would queue megabytes
      setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  }
  if (stall) {
    char c;
    while (read(0, &c, 1) > 0) {}
    return 0;
  }

  long long bytes = 0;
  long owed = 0;
  for (int open = clients; open > 0;) {
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      ssize_t got = recv(fd, NULL, AT_ONCE, MSG_TRUNC | MSG_DONTWAIT);
      if (got > 0) {
        bytes += got;
        for (owed += got; ack > 0 && owed >= ack; owed -= ack)
          if (send(fd, "", 1, MSG_NOSIGNAL) < 0) die("send");
      } else if (got == 0) {
        close(fd);
        open--;
      } else if (errno != EAGAIN && errno != EINTR) die("recv");
    }
  }
  printf("{\"bytes\":%lld}\n", bytes);
  return 0;
}
