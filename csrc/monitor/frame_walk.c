/* See frame_walk.h. */

#include "frame_walk.h"

#include <string.h>

/* Two predicted ranges become one if no more bytes than this are between. */
#define MAX_GAP 1024
/* The innermost frame is predicted with these bytes after it, where the frame
   of the next function that it calls will be. */
#define CALLEE_SIZE 640
/* A frame that was not predicted is copied with these bytes before it, where
   the frames of its callers are if it belongs to a function. */
#define CALLERS_SIZE 4096
/* The smallest size of a chunk of the data stack. */
#define CHUNK_SIZE (1 << 14)
/* Half of the room stays free for frames that were not predicted. */
#define MAX_PREDICTED_SIZE (SAFE_COPY_BYTES / 2)
/* After this many, copy_thread() gives up. */
#define MAX_TRIES 4

/* 3.14 and later use the low bits of a pointer to a code object as tags. */
#define TAG_BITS ((uintptr_t)7)

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

static uintptr_t
word_at(const char *bytes)
{
    uintptr_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

/* Nothing is known but the address of the thread state. */
static Prediction
empty_prediction(const FrameLayout *at, uintptr_t tstate)
{
    return (Prediction){
        .tstate = tstate,
        .current = at->indirect ? 0 : tstate + at->current,
    };
}

static int
is_empty(const Prediction *prediction, const FrameLayout *at)
{
    return prediction->n == 0 && (!at->indirect || prediction->current == 0);
}

static Prediction *
prediction_for(FrameWalk *walk, uintptr_t tstate)
{
    for (int i = 0; i < PREDICTED_THREADS; i++) {
        if (walk->predictions[i].tstate == tstate) {
            return &walk->predictions[i];
        }
    }
    Prediction *prediction = &walk->predictions[walk->next_prediction];
    walk->next_prediction = (walk->next_prediction + 1) % PREDICTED_THREADS;
    *prediction = empty_prediction(&walk->layout, tstate);
    return prediction;
}

/* Notes where a frame is, for the next walk. Frames come from the innermost to
   the outermost, so on the data stack their addresses descend. */
static void
predict(Prediction *prediction, uintptr_t frame, size_t size)
{
    if (prediction->n > 0) {
        struct iovec *last = &prediction->ranges[prediction->n - 1];
        const uintptr_t begin = (uintptr_t)last->iov_base;
        if (frame >= begin && frame + size <= begin + last->iov_len) {
            return;
        }
        if (frame < begin && begin - frame <= MAX_GAP
            && prediction->size + (begin - frame) <= MAX_PREDICTED_SIZE) {
            last->iov_base = (void *)frame;
            last->iov_len += begin - frame;
            prediction->size += begin - frame;
            return;
        }
    }
    if (prediction->n < MAX_PREDICTED
        && prediction->size + size <= MAX_PREDICTED_SIZE) {
        prediction->ranges[prediction->n++] =
            (struct iovec){(void *)frame, size};
        prediction->size += size;
    }
}

/* What was read of a thread state. */
typedef struct {
    uintptr_t innermost; /* the address of its innermost frame */
    uintptr_t chunk;     /* the address of the newest chunk */
} ThreadCopy;

/* Copies the thread state, and frames where they are predicted.

   The order matters: first the address of the innermost frame, then the
   frames, and last the rest of the thread state. Reading a cache line takes it
   from the core that runs the thread. The thread's next store to that line has
   to wait, and so have all its later stores. So the frames, which are read
   during that time, do not change, and match the address. In the other order,
   the thread would be stopped at its next store to the thread state, which is
   right before a call: in 3.12 a caller got 92 % of the samples instead of
   36 %. */
static WalkOutcome
copy_thread(FrameWalk *walk, SafeCopy *copy, uint64_t id,
            Prediction *prediction, ThreadCopy *thread)
{
    const FrameLayout *at = &walk->layout;
    const uintptr_t tstate = prediction->tstate;
    const struct iovec state = {(void *)(tstate + at->tstate_begin),
                                at->tstate_end - at->tstate_begin};
    struct iovec ranges[MAX_PREDICTED + 2];
    for (int tries = 0; tries < MAX_TRIES; tries++) {
        int n = 0;
        if (prediction->current != 0) {
            ranges[n++] =
                (struct iovec){(void *)prediction->current, sizeof(uintptr_t)};
            memcpy(ranges + n, prediction->ranges,
                   (size_t)prediction->n * sizeof(ranges[0]));
            n += prediction->n;
        }
        ranges[n++] = state;
        safe_copy_clear(copy);
        if (safe_copy_add(copy, ranges, n) < n) {
            if (is_empty(prediction, at)) {
                return WALK_GONE;
            }
            /* A predicted range is not mapped any more. */
            *prediction = empty_prediction(at, tstate);
            continue;
        }
        const char *bytes = copy->copies[n - 1] - at->tstate_begin;
        uint64_t found;
        memcpy(&found, bytes + at->id, sizeof(found));
        if (found != id) {
            return WALK_GONE;
        }
        const uintptr_t current =
            at->indirect ? word_at(bytes + at->current) + at->in_cframe
                         : tstate + at->current;
        if (current == prediction->current) {
            thread->innermost = word_at(copy->copies[0]);
            thread->chunk = word_at(bytes + at->chunk);
            return WALK_DONE;
        }
        prediction->current = current;
    }
    return WALK_TORN;
}

/* Returns the copy of a frame, or NULL if its memory is not mapped. */
static const char *
copy_frame(FrameWalk *walk, SafeCopy *copy, uintptr_t frame, uintptr_t chunk)
{
    const size_t size = walk->layout.frame_size;
    const char *bytes = safe_copy_find(copy, frame, size);
    if (bytes == NULL) {
        uintptr_t begin = MAX(frame, CALLERS_SIZE) - CALLERS_SIZE;
        if (frame > chunk && frame < chunk + CHUNK_SIZE) {
            begin = MAX(begin, chunk);
        }
        const struct iovec ranges[] = {{(void *)frame, size},
                                       {(void *)begin, frame - begin}};
        if (!safe_copy_has_room(copy, 2, size + (frame - begin))) {
            safe_copy_clear(copy); /* The frames before have been read. */
        }
        (void)safe_copy_add(copy, ranges, 2);
        bytes = safe_copy_find(copy, frame, size);
    }
    return bytes;
}

WalkOutcome
frame_walk(FrameWalk *walk, SafeCopy *copy, uintptr_t tstate, uint64_t id)
{
    const FrameLayout *at = &walk->layout;
    Prediction *prediction = prediction_for(walk, tstate);
    ThreadCopy thread;
    walk->n = 0;
    walk->complete = 0;
    const WalkOutcome outcome =
        copy_thread(walk, copy, id, prediction, &thread);
    if (outcome != WALK_DONE) {
        return outcome;
    }

    prediction->n = 0;
    prediction->size = 0;
    uintptr_t frame = thread.innermost;
    /* Torn frames may be a cycle of entries from C, which are not counted. */
    for (int steps = 0; frame != 0 && steps < 2 * MAX_FRAMES; steps++) {
        if (walk->n == MAX_FRAMES) {
            return WALK_DONE;
        }
        const char *bytes = copy_frame(walk, copy, frame, thread.chunk);
        if (bytes == NULL) {
            return WALK_TORN;
        }
        size_t size = at->frame_size;
        const uintptr_t chunk_end = thread.chunk + CHUNK_SIZE;
        if (steps == 0 && frame > thread.chunk && frame + size < chunk_end) {
            size = MIN(size + CALLEE_SIZE, chunk_end - frame);
        }
        predict(prediction, frame, size);

        const RawFrame raw = {
            word_at(bytes + at->code) & ~TAG_BITS,
            word_at(bytes + at->instruction),
        };
        const int owner = (unsigned char)bytes[at->owner];
        frame = word_at(bytes + at->previous);
        if (owner > at->last_owner) {
            return WALK_TORN;
        }
        if (owner < at->first_c_owner) {
            if (raw.code == 0) {
                return WALK_TORN;
            }
            walk->frames[walk->n++] = raw;
        }
    }
    walk->complete = frame == 0;
    return walk->complete ? WALK_DONE : WALK_TORN;
}
