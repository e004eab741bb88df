/* Where the GIL was held: a tree of the calls that led there.
 *
 * Each node is a frame below its caller's, with what was measured while it was
 * the innermost one. The tree and the table of code (code_table.h) take 16 MiB
 * at most; what comes when one is full is added up as "(other)".
 *
 * No Python object, and no lock, is touched here.
 */

#ifndef GILDEMO_PROFILE_H
#define GILDEMO_PROFILE_H

#include "code_cache.h"
#include "code_table.h"
#include "frames.h"

#include <stdint.h>

/* With what belongs to it 3.8 MiB. */
#define MAX_NODES (1 << 16)
#define NODE_SLOTS (2 * MAX_NODES)

/* One stack is read in each of these of held time, at a random moment. */
#define STACK_NS 1000000

/* The node of all stacks that came when the tree was full. */
#define OTHER_NODE 0
/* The parent of a root. */
#define NO_NODE (-1)
/* In `code` of a root: it is a thread. */
#define NO_CODE (-1)

typedef struct {
    int32_t parent;      /* it comes before its callees */
    int32_t code;        /* its row in the code table */
    int32_t instruction; /* in code units; of a root, the thread's index */
    int64_t held;        /* ns of samples that found it innermost */
    int64_t caused;      /* ns that threads waited for the GIL meanwhile */
    int64_t samples;
    double squared_weights; /* of what each counts in `held`, ns squared */
} ProfileNode;

typedef struct {
    int32_t n_nodes;
    ProfileNode *nodes;
    int32_t *slots; /* a hash table; -1 is a free slot. NULL in a copy */
    int32_t *moved; /* for profile_renumber(); NULL in a copy */
    CodeTable codes;
    uint64_t random;
    int64_t position; /* held time so far that was cut into STACK_NS */
    int64_t moment;   /* in it, when the next stack is to be read */
} Profile;

/* Returns 0, or -1 if there is no memory; profile_free() is right for both. */
int profile_init(Profile *profile, uint64_t seed);
void profile_free(Profile *profile);
/* Returns 0, or -1 if there is no memory, with nothing to be freed. A copy is
   for reading. */
int profile_copy(const Profile *profile, Profile *copy);

/* To be called for each sample with a holder, with its weight. Returns the
   weight of its stack; 0 if it need not be read. On average, the stacks of any
   part of the samples weigh as much as the samples. */
int64_t profile_weight(Profile *profile, int64_t sample_weight);
/* The thread with this index held the GIL with this stack, of code in `codes`,
   while so many others waited. NULL: the stack is not known. Returns the index
   of the stack's node. */
int32_t profile_add(Profile *profile, int32_t thread, const FrameStack *stack,
                    int64_t weight, int waiters);
/* Thread i gets the index new_indexes[i]. Several may get the same one, and
   then their nodes do. Node i gets the index that the result has for i. */
const int32_t *profile_renumber(Profile *profile, const int32_t *new_indexes);

#endif /* GILDEMO_PROFILE_H */
