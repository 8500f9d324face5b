// As little as a server can do: it knows the files of one folder, takes every request for a GET of one of them, looks
// at nothing else, and answers by recv(2), send(2) and sendfile(2). What it gets says how far a figure can go here,
// whoever serves: the load generator has one processor, too.
//
//   bare FOLDER    prints {"port":n} and serves until it is killed

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES 64
#define CONNECTIONS 8192
#define AT_ONCE 64
#define SMALL (16 << 10) // as respond(): so little goes with its header in one send(2)

struct file {
  char name[258];
  int fd, header;
  off_t size;
  char bytes[512 + SMALL]; // the header; a small body is read behind it
};

// By fd. What is left of the answer to the one request that a connection asks at a time.
struct connection {
  struct file *file;
  off_t offset;
};

static struct file files[FILES];
static struct connection connections[CONNECTIONS];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void load(const char *folder) {
  DIR *dir = opendir(folder);
  if (dir == NULL) die(folder);
  struct dirent *entry;
  for (int i = 0; i < FILES && (entry = readdir(dir)) != NULL;) {
    struct file *file = &files[i];
    struct stat stat;
    file->fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
    if (file->fd < 0 || fstat(file->fd, &stat) < 0 || !S_ISREG(stat.st_mode)) continue;
    file->size = stat.st_size;
    snprintf(file->name, sizeof file->name, "/%s ", entry->d_name);
    file->header = snprintf(file->bytes, 512,
                            "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %lld\r\n"
                            "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\n",
                            (long long)file->size);
    i++;
  }
  closedir(dir);
}

static struct file *asked(const char *request, ssize_t length) {
  if (length > 4)
    for (int i = 0; i < FILES && files[i].size > 0; i++)
      if (!strncmp(request + 4, files[i].name, strlen(files[i].name))) return &files[i];
  return NULL;
}

// Goes on with the body: all of it, or until the socket is full. Returns false where the connection is over.
static int body(int epoll, int fd) {
  struct connection *to = &connections[fd];
  while (to->offset < to->file->size) {
    ssize_t n = sendfile(fd, to->file->fd, &to->offset, to->file->size - to->offset);
    if (n <= 0 && errno != EAGAIN) return 0;
    if (n > 0) continue;
    struct epoll_event event = {.events = EPOLLOUT, .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
    return 1;
  }
  to->file = NULL;
  return 1;
}

static int answer(int epoll, int fd) {
  struct connection *to = &connections[fd];
  struct file *file = to->file;
  to->offset = 0;
  if (file->size > SMALL) {
    if (send(fd, file->bytes, file->header, MSG_MORE | MSG_NOSIGNAL) != file->header) return 0;
    return body(epoll, fd);
  }
  if (pread(file->fd, file->bytes + file->header, file->size, 0) != file->size) return 0;
  to->file = NULL;
  return send(fd, file->bytes, file->header + file->size, MSG_NOSIGNAL) == file->header + file->size;
}

int main(int argc, char **argv) {
  if (argc != 2) return fprintf(stderr, "bare FOLDER\n"), 2;
  load(argv[1]);
  signal(SIGPIPE, SIG_IGN); // sendfile(2) knows no MSG_NOSIGNAL

  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in at = {.sin_family = AF_INET};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  if (listener < 0 || bind(listener, (struct sockaddr *)&at, length) < 0 || listen(listener, 511) < 0) die("listen");
  if (getsockname(listener, (struct sockaddr *)&at, &length) < 0) die("getsockname");
  int epoll = epoll_create1(0);
  struct epoll_event in = {.events = EPOLLIN, .data.fd = listener};
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &in) < 0) die("epoll");
  printf("{\"port\":%d}\n", ntohs(at.sin_port));
  fflush(stdout);

  for (;;) {
    struct epoll_event events[AT_ONCE];
    int n = epoll_wait(epoll, events, AT_ONCE, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    // First all requests are read, then all are answered, as respond() does.
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        int yes = 1;
        int met = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (met < 0) continue;
        if (met >= CONNECTIONS) die("too many connections");
        setsockopt(met, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connections[met].file = NULL;
        in.data.fd = met;
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, met, &in) < 0) die("epoll_ctl");
        events[i].data.fd = -1;
      } else if (connections[fd].file == NULL) {
        char request[4096];
        ssize_t got = recv(fd, request, sizeof request - 1, 0);
        request[got > 0 ? got : 0] = 0;
        connections[fd].file = asked(request, got);
        connections[fd].offset = -1;
        if (connections[fd].file == NULL) {
          close(fd);
          events[i].data.fd = -1;
        }
      }
    }
    for (int i = 0; i < n; i++) {
      int fd = events[i].data.fd;
      if (fd < 0) continue;
      int waited = connections[fd].offset >= 0;
      int open = waited ? body(epoll, fd) : answer(epoll, fd);
      if (!open) close(fd);
      else if (waited && connections[fd].file == NULL) {
        in.data.fd = fd;
        epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &in);
      }
    }
  }
}
