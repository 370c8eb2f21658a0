// SPDX-License-Identifier: MIT
/*
 * pipeline - copy standard input to standard output, with a reader and a writer that pass
 * blocks: what one thread has rented the other returns
 */
#include <bufpool.h>
#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CHUNK	65536
#define PLACES	8

struct chunk {
	char *block;		/* NULL: there are no more */
	size_t length;
};

/* A few chunks, in order */
struct pipeline {
	struct bufpool *pool;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct chunk chunks[PLACES];
	unsigned int put;
	unsigned int taken;
};

static void put_chunk(struct pipeline *line, struct chunk chunk)
{
	pthread_mutex_lock(&line->lock);
	while (line->put - line->taken == PLACES)
		pthread_cond_wait(&line->changed, &line->lock);
	line->chunks[line->put++ % PLACES] = chunk;
	pthread_cond_signal(&line->changed);
	pthread_mutex_unlock(&line->lock);
}

static struct chunk take_chunk(struct pipeline *line)
{
	struct chunk chunk;

	pthread_mutex_lock(&line->lock);
	while (line->put == line->taken)
		pthread_cond_wait(&line->changed, &line->lock);
	chunk = line->chunks[line->taken++ % PLACES];
	pthread_cond_signal(&line->changed);
	pthread_mutex_unlock(&line->lock);
	return chunk;
}

static void write_chunk(const struct chunk *chunk)
{
	size_t done = 0;
	ssize_t n;

	for (; done < chunk->length; done += n) {
		n = write(STDOUT_FILENO, chunk->block + done, chunk->length - done);
		if (n < 0)
			err(1, "write");
	}
}

static void *write_all(void *argument)
{
	struct pipeline *line = argument;
	struct chunk chunk;

	for (chunk = take_chunk(line); chunk.block; chunk = take_chunk(line)) {
		write_chunk(&chunk);
		if (bufpool_return(line->pool, chunk.block, 0))
			errx(1, "a block was not taken back");
	}
	return NULL;
}

static void read_all(struct pipeline *line)
{
	struct chunk chunk;
	ssize_t n;

	for (;;) {
		chunk.block = bufpool_rent(line->pool, CHUNK, 0);
		if (!chunk.block)
			errx(1, "rent: %s", bufpool_strerror(errno));
		n = read(STDIN_FILENO, chunk.block, CHUNK);
		if (n < 0)
			err(1, "read");
		if (!n)
			break;
		chunk.length = n;
		put_chunk(line, chunk);
	}
	if (bufpool_return(line->pool, chunk.block, 0))
		errx(1, "a block was not taken back");
	put_chunk(line, (struct chunk){ NULL, 0 });
}

int main(void)
{
	struct pipeline line = {
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER,
	};
	pthread_t writer;

	line.pool = bufpool_open(NULL, 0);
	if (!line.pool)
		errx(1, "open: %s", bufpool_strerror(errno));
	if (pthread_create(&writer, NULL, write_all, &line))
		errx(1, "no thread");
	read_all(&line);
	pthread_join(writer, NULL);
	return bufpool_close(line.pool) ? 1 : 0;
}
