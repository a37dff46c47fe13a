/* The floor: what a Stratum V1 server costs that does nothing.
 *
 * Every line is answered, a signal sends a job to everyone, and that is all: no share is checked,
 * nothing is written down, nobody is refused. What a real pool costs above this is what its work
 * costs; what it can't get below is the kernel's price of a line in and a line out.
 *
 * One thread, level-triggered epoll, one recv and one send per readable event, no heap. A line's
 * id and method are found by searching, not by parsing JSON: that is less than any server may do.
 * A rig whose socket does not take everything at once is dropped: a floor keeps no queues.
 *
 *     floor [PORT]      prints "listening PORT"; 0 or none takes a free port
 *     SIGUSR1           a new tip: prints "sent RIGS SECONDS UNIX_TIME_OF_START"
 *     SIGTERM           ends
 */

#define _GNU_SOURCE /* accept4, memmem */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MAX_FDS = 1 << 17,
    EVENTS = 512,
    BACKLOG = 4096,
    MAX_LINE = 1024,  /* without its end; a longer one ends the connection */
    READ_SIZE = 1 << 16,
    REPLY_SIZE = 1 << 16,
    MAX_ANSWER = 4096, /* the longest answer: authorize's, with difficulty and job */
    MAX_ID = 128,
    BRANCHES = 12 /* a block of 2,049 to 4,096 transactions, as bench/node.py has it */
};

/* By descriptor. `rest` is touched only by a rig whose read ended inside a line, so that an idle
 * one costs three bytes here, as a floor should. */
static uint16_t held[MAX_FDS];
static bool is_authorized[MAX_FDS];
static char rest[MAX_FDS][MAX_LINE];

static char job[MAX_ANSWER / 2];
static unsigned job_number;

static int highest = 0;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double seconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* -- what is said ------------------------------------------------------------------------- */

/* A job of the size that a pool's has, with 242 bytes of coinbase; at a new tip a pool sends the
 * empty block's first, which has no branches. nbits that no share meets. Returns its size. */
static size_t make_job(int branches) {
    char *out = job;
    char *end = job + sizeof job;
    out += snprintf(out, (size_t)(end - out),
                    "{\"id\":null,\"method\":\"mining.notify\",\"params\":[\"%08x\",\"%064x\",\"",
                    job_number, job_number);
    out += snprintf(out, (size_t)(end - out), "%0180x\",\"%0280x\",[", 1, 2);
    for (int level = 0; level < branches; level++) {
        out += snprintf(out, (size_t)(end - out), "%s\"%064x\"", level ? "," : "", level + 1);
    }
    out += snprintf(out, (size_t)(end - out),
                    "],\"20000000\",\"1a00ffff\",\"%08x\",true]}\n", (unsigned)time(NULL));
    return (size_t)(out - job);
}

/* The id as it stands in the line; `null` where there is none. */
static size_t find_id(const char **id, const char *line, size_t size) {
    const char *at = memmem(line, size, "\"id\"", 4);
    const char *end = line + size;
    if (at != NULL) {
        at += 4;
        while (at < end && (*at == ' ' || *at == ':')) {
            at++;
        }
        const char *stop = at;
        if (stop < end && *stop == '"') {
            const char *quote = memchr(stop + 1, '"', (size_t)(end - stop - 1));
            stop = quote != NULL ? quote + 1 : end;
        }
        while (stop < end && *stop != ',' && *stop != '}' && *stop != ' ') {
            stop++;
        }
        if (stop > at && stop - at <= MAX_ID) {
            *id = at;
            return (size_t)(stop - at);
        }
    }
    *id = "null";
    return 4;
}

static size_t put(char *out, const char *text, size_t size) {
    memcpy(out, text, size);
    return size;
}

#define PUT(out, literal) put(out, literal, sizeof(literal) - 1)

static size_t answer(char *out, int fd, const char *line, size_t size) {
    const char *id;
    size_t id_size = find_id(&id, line, size);
    const char *method = memmem(line, size, "\"mining.", 8);
    size_t left = method == NULL ? 0 : size - (size_t)(method + 8 - line);
    const char *name = left < 9 ? "" : method + 8;

    size_t used = PUT(out, "{\"id\":");
    used += put(out + used, id, id_size);
    if (strncmp(name, "subscribe", 9) == 0) {
        used += (size_t)sprintf(out + used,
                                ",\"result\":[[[\"mining.set_difficulty\",\"1\"],"
                                "[\"mining.notify\",\"1\"]],\"%08x\",8],\"error\":null}\n",
                                (unsigned)fd);
        return used;
    }
    if (strncmp(name, "configure", 9) == 0) {
        return used + PUT(out + used,
                          ",\"result\":{\"version-rolling\":true,"
                          "\"version-rolling.mask\":\"1fffe000\"},\"error\":null}\n");
    }
    used += PUT(out + used, ",\"result\":true,\"error\":null}\n");
    if (strncmp(name, "authorize", 9) == 0) {
        is_authorized[fd] = true;
        /* 2^-32: any hash is a share, so rigs that search find one at once. */
        used += PUT(out + used,
                    "{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":"
                    "[0.00000000023283064365386962890625]}\n");
        used += put(out + used, job, make_job(BRANCHES));
    }
    return used;
}

/* -- rigs --------------------------------------------------------------------------------- */

static void drop(int fd) {
    held[fd] = 0;
    is_authorized[fd] = false;
    close(fd);
}

static bool write_all(int fd, const char *data, size_t size) {
    return send(fd, data, size, MSG_NOSIGNAL) == (ssize_t)size;
}

static void serve(int fd) {
    static char data[MAX_LINE + READ_SIZE];
    static char reply[REPLY_SIZE];

    size_t before = held[fd];
    memcpy(data, rest[fd], before);
    ssize_t got = recv(fd, data + before, READ_SIZE, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN) {
            drop(fd);
        }
        return;
    }

    const char *line = data;
    const char *end = data + before + (size_t)got;
    const char *stop;
    size_t used = 0;
    while ((stop = memchr(line, '\n', (size_t)(end - line))) != NULL) {
        used += answer(reply + used, fd, line, (size_t)(stop - line));
        line = stop + 1;
        if (used > REPLY_SIZE - MAX_ANSWER) {
            if (!write_all(fd, reply, used)) {
                drop(fd);
                return;
            }
            used = 0;
        }
    }

    size_t left = (size_t)(end - line);
    if (left > MAX_LINE || (used && !write_all(fd, reply, used))) {
        drop(fd);
        return;
    }
    memcpy(rest[fd], line, left);
    held[fd] = (uint16_t)left;
}

static void broadcast(void) {
    double unix_time = seconds(CLOCK_REALTIME);
    double start = seconds(CLOCK_MONOTONIC);
    int rigs = 0;
    job_number++; /* in the prevhash too, so that rigs see a new tip */
    size_t job_size = make_job(0);
    for (int fd = 0; fd <= highest; fd++) {
        if (is_authorized[fd]) {
            if (write_all(fd, job, job_size)) {
                rigs++;
            } else {
                drop(fd);
            }
        }
    }
    printf("sent %d %.6f %.6f\n", rigs, seconds(CLOCK_MONOTONIC) - start, unix_time);
}

static void welcome(int poll, int listener) {
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= MAX_FDS) {
            close(fd);
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) {
            die("epoll_ctl");
        }
        highest = fd > highest ? fd : highest;
    }
}

/* -- start -------------------------------------------------------------------------------- */

static int listen_on(uint16_t port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int yes = 1;
    struct sockaddr_in place = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)},
    };
    socklen_t size = sizeof place;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (struct sockaddr *)&place, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&place, &size) != 0) {
        die("listen");
    }
    printf("listening %d\n", ntohs(place.sin_port));
    return fd;
}

static int watch_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void raise_limit(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int count, char **arguments) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    raise_limit();
    int signals = watch_signals();
    int listener = listen_on((uint16_t)(count > 1 ? atoi(arguments[1]) : 0));
    int poll = epoll_create1(EPOLL_CLOEXEC);
    int own[] = {signals, listener};
    for (size_t i = 0; i < 2; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = own[i]}};
        if (epoll_ctl(poll, EPOLL_CTL_ADD, own[i], &event) != 0) {
            die("epoll_ctl");
        }
    }

    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            struct signalfd_siginfo told;
            if (fd == listener) {
                welcome(poll, listener);
            } else if (fd != signals) {
                serve(fd);
            } else if (read(signals, &told, sizeof told) == (ssize_t)sizeof told) {
                if (told.ssi_signo == SIGTERM) {
                    return 0;
                }
                broadcast();
            }
        }
    }
}
