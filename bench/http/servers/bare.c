// As little as a server can do: it knows the files of one folder, takes every request for a GET of one of them, looks
// at nothing else but whether the connection is to end, and answers by recv(2), send(2) and sendfile(2). What it gets says how far a figure can go here,
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

#define FILES 2048 // a power of two, and never full
#define CONNECTIONS 8192
#define AT_ONCE 64
#define SMALL (16 << 10) // as respond(): so little goes with its header in one send(2)

struct head {
  int length;
  char bytes[512 + SMALL]; // a small body is read behind it
};

struct file {
  char name[258];
  int fd;
  off_t size;
  struct head keep, last;
};

// By fd. What is left of the answer to the one request that a connection asks at a time.
struct connection {
  struct file *file;
  off_t offset;
  int last;
};

// By the hash of the name; the next place that is free.
static struct file files[FILES];
static struct connection connections[CONNECTIONS];

static void die(const char *what) {
  perror(what);
  exit(1);
}

// The place of a name, or where it would be. It ends with a blank.
static struct file *place(const char *name, const char *end) {
  unsigned hash = 2166136261u;
  const char *p = name;
  while (p < end && *p != ' ') hash = (hash ^ *p++) * 16777619u;
  for (;; hash++) {
    struct file *file = &files[hash % FILES];
    if (file->size == 0 || (!strncmp(name, file->name, p - name + 1))) return file;
  }
}

static void head(struct head *head, off_t size, const char *connection) {
  head->length = snprintf(head->bytes, 512,
                          "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %lld\r\n"
                          "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nConnection: %s\r\n\r\n",
                          (long long)size, connection);
}

static void load(const char *folder) {
  DIR *dir = opendir(folder);
  if (dir == NULL) die(folder);
  struct dirent *entry;
  for (int i = 0; i < FILES / 2 && (entry = readdir(dir)) != NULL;) {
    struct stat stat;
    int fd = openat(dirfd(dir), entry->d_name, O_RDONLY);
    if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) || stat.st_size == 0) continue;
    char name[258];
    int length = snprintf(name, sizeof name, "/%s ", entry->d_name);
    struct file *file = place(name, name + length);
    memcpy(file->name, name, sizeof name);
    file->fd = fd;
    file->size = stat.st_size;
    head(&file->keep, file->size, "keep-alive\r\nKeep-Alive: timeout=5");
    head(&file->last, file->size, "close");
    i++;
  }
  closedir(dir);
}

static struct file *asked(const char *request, ssize_t length) {
  if (length <= 4) return NULL;
  struct file *file = place(request + 4, request + length);
  return file->size > 0 ? file : NULL;
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
  return !to->last;
}

static int answer(int epoll, int fd) {
  struct connection *to = &connections[fd];
  struct file *file = to->file;
  struct head *head = to->last ? &file->last : &file->keep;
  to->offset = 0;
  if (file->size > SMALL) {
    if (send(fd, head->bytes, head->length, MSG_MORE | MSG_NOSIGNAL) != head->length) return 0;
    return body(epoll, fd);
  }
  if (pread(file->fd, head->bytes + head->length, file->size, 0) != file->size) return 0;
  to->file = NULL;
  return send(fd, head->bytes, head->length + file->size, MSG_NOSIGNAL) == head->length + file->size && !to->last;
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
        connections[fd].last = strstr(request, "\r\nConnection: close\r\n") != NULL;
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
