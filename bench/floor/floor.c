/*
 * floor OUT DIR... writes the trees DIR... to OUT with the system calls that a
 * tar of them needs, and does nothing beside, not even sort: each regular file
 * is opened, looked at, asked for the names of its attributes, read and closed,
 * and what was read is written behind a header of the usual size. One thread
 * walks, two read and take turns at writing. It is no archiver: it shows what a
 * program that opens file by file can come down to on this machine, as a mark
 * beside cp of the finished tar, which opens one file.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { BLOCK = 512, PART_BYTES = 512 << 10, PART_PIECES = 64, PARTS = 8, WORKERS = 2 };
enum { OPENING = O_NOFOLLOW | O_CLOEXEC | O_NOATIME };

/* file is an open regular file, or what has no content (fd is -1). */
struct file {
	char name[100]; /* the first bytes of its path */
	struct stat st;
	int fd;
	int pieces; /* not read yet */
};

/* piece is a part of a file's content; the first one has the header, the last
 * one the padding. */
struct piece {
	struct file whole; /* where the file is one piece: most are */
	struct file *shared; /* where there are several */
	off_t from, length;
	int first, last;
};

/* part is what one write takes. */
struct part {
	struct piece pieces[PART_PIECES];
	int count, planned, size;
	unsigned long number;
	char *bytes;
};

static struct part parts[PARTS], *filling;
static int out;

/* How many parts are filled in by the walk, taken by a worker, and written. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned long walked, taken, written, ended;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void count(unsigned long *counter)
{
	pthread_mutex_lock(&lock);
	++*counter;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void next_part(void)
{
	pthread_mutex_lock(&lock);
	while (walked - written >= PARTS)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
	filling = &parts[walked % PARTS];
	filling->count = filling->planned = 0;
	filling->number = walked;
}

/* add_piece gives room for a piece of length bytes. */
static struct piece *add_piece(int first, off_t length)
{
	int needs = BLOCK * first + (length / BLOCK + 1) * BLOCK;

	if (filling->count == PART_PIECES || filling->planned + needs > PART_BYTES + BLOCK) {
		count(&walked);
		next_part();
	}
	filling->planned += needs;
	return &filling->pieces[filling->count++];
}

static void describe(struct file *f, const char *path, int fd, const struct stat *st)
{
	memcpy(f->name, path, strnlen(path, sizeof f->name - 1) + 1);
	f->name[sizeof f->name - 1] = 0;
	f->st = *st;
	f->fd = fd;
}

static void add(const char *path, int fd, const struct stat *st)
{
	off_t size = S_ISREG(st->st_mode) ? st->st_size : 0, most = PART_BYTES - 2 * BLOCK, from = 0;
	struct file *shared = NULL;

	if (size > most) {
		shared = malloc(sizeof *shared);
		describe(shared, path, fd, st);
		shared->pieces = (size + most - 1) / most;
	}
	do {
		off_t length = size - from < most ? size - from : most;
		struct piece *p = add_piece(from == 0, length);

		if (!shared)
			describe(&p->whole, path, fd, st);
		p->shared = shared;
		p->from = from;
		p->length = length;
		p->first = from == 0;
		p->last = from + length == size;
		from += length;
	} while (from < size);
}

static int open_in(int dir, const char *name, int flags)
{
	int fd = openat(dir, name, O_RDONLY | OPENING | flags);

	if (fd < 0)
		die(name);
	return fd;
}

/* listed is struct linux_dirent64 of getdents64(2). */
struct listed {
	unsigned long long inode, next;
	unsigned short length;
	unsigned char type;
	char name[];
} __attribute__((packed));

static void walk(int dir, char *path, size_t length);

static void visit(int dir, const struct listed *entry, char *path, size_t length)
{
	int fd = entry->type == DT_REG ? open_in(dir, entry->name, 0) : -1;
	size_t end = length + strlen(entry->name);
	struct stat st;

	if (end + 2 > PATH_MAX)
		die("a path is too long");
	strcpy(path + length, entry->name);
	if (fd >= 0 ? fstat(fd, &st) : fstatat(dir, entry->name, &st, AT_SYMLINK_NOFOLLOW))
		die(path);
	add(path, fd, &st);
	if (entry->type == DT_DIR) {
		int below = open_in(dir, entry->name, O_DIRECTORY);

		strcpy(path + end, "/");
		walk(below, path, end + 1);
		close(below);
	}
}

/* walk visits what is in dir, whose path has length bytes, with its slash. */
static void walk(int dir, char *path, size_t length)
{
	char buf[32 << 10];
	long got;

	while ((got = syscall(SYS_getdents64, dir, buf, sizeof buf)) > 0) {
		for (long at = 0; at < got;) {
			struct listed *entry = (void *)(buf + at);

			at += entry->length;
			if (strcmp(entry->name, ".") && strcmp(entry->name, ".."))
				visit(dir, entry, path, length);
		}
	}
	if (got < 0)
		die(path);
}

static void octal(char *field, int width, unsigned long n)
{
	for (int i = width - 2; i >= 0; i--, n >>= 3)
		field[i] = '0' + (n & 7);
}

static void header(char *block, const struct file *f)
{
	unsigned long sum = 0;

	memset(block, 0, BLOCK);
	memcpy(block, f->name, strlen(f->name));
	octal(block + 100, 8, f->st.st_mode & 07777);
	octal(block + 108, 8, f->st.st_uid & 07777777), octal(block + 116, 8, f->st.st_gid & 07777777);
	octal(block + 124, 12, S_ISREG(f->st.st_mode) ? f->st.st_size : 0);
	octal(block + 136, 12, f->st.st_mtime);
	memset(block + 148, ' ', 8);
	memcpy(block + 257, "ustar\00000", 8);
	for (int i = 0; i < BLOCK; i++)
		sum += (unsigned char)block[i];
	octal(block + 148, 7, sum);
}

/* fill reads what a part's pieces name. A last piece is read with room for one
 * byte more, so that no call is spent on finding the file's end. */
static void fill(struct part *part)
{
	char *at = part->bytes, names[BLOCK];

	for (int i = 0; i < part->count; i++) {
		struct piece *p = &part->pieces[i];
		struct file *f = p->shared ? p->shared : &p->whole;
		ssize_t n;

		if (p->first) {
			if (f->fd >= 0 && flistxattr(f->fd, names, sizeof names) < 0)
				die(f->name);
			header(at, f);
			at += BLOCK;
		}
		for (off_t got = 0; got < p->length; got += n, at += n) {
			n = pread(f->fd, at, p->length - got + p->last, p->from + got);
			if (n <= 0 || n > p->length - got)
				die(f->name);
		}
		for (; (at - part->bytes) % BLOCK; at++)
			*at = 0;
		if (p->shared && __atomic_sub_fetch(&f->pieces, 1, __ATOMIC_ACQ_REL) > 0)
			continue;
		if (f->fd >= 0)
			close(f->fd);
		free(p->shared);
	}
	part->size = at - part->bytes;
}

static void *work(void *unused)
{
	for (;;) {
		struct part *part;

		pthread_mutex_lock(&lock);
		while (taken == walked && !ended)
			pthread_cond_wait(&changed, &lock);
		if (taken == walked) {
			pthread_mutex_unlock(&lock);
			return unused;
		}
		part = &parts[taken++ % PARTS];
		pthread_mutex_unlock(&lock);

		fill(part);

		pthread_mutex_lock(&lock);
		while (written != part->number)
			pthread_cond_wait(&changed, &lock);
		pthread_mutex_unlock(&lock);
		for (ssize_t done = 0, n; done < part->size; done += n)
			if ((n = write(out, part->bytes + done, part->size - done)) < 0)
				die("write");
		count(&written);
	}
}

int main(int argc, char **argv)
{
	pthread_t workers[WORKERS];
	char path[PATH_MAX];

	if (argc < 3) {
		fprintf(stderr, "usage: floor OUT DIR...\n");
		return 2;
	}
	if ((out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		die(argv[1]);
	for (int i = 0; i < PARTS; i++)
		parts[i].bytes = malloc(PART_BYTES + 2 * BLOCK);
	next_part();
	for (int i = 0; i < WORKERS; i++)
		pthread_create(&workers[i], NULL, work, NULL);
	for (int i = 2; i < argc; i++) {
		int dir = open_in(AT_FDCWD, argv[i], O_DIRECTORY);

		walk(dir, path, 0);
		close(dir);
	}
	count(&walked);
	count(&ended);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(workers[i], NULL);
	return 0;
}
