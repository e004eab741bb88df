/* Where the GIL was held: a tree of calls.
 *
 * A node is a frame below its caller's node. It has the sums of the stacks in
 * which it was the innermost frame. The tree and the code table take 16 MiB at
 * most; what comes when one of them is full is added up as "(other)".
 *
 * No clock, no lock and no Python object.
 */

#ifndef GILDEMO_PROFILE_H
#define GILDEMO_PROFILE_H

#include "code_cache.h"
#include "code_table.h"
#include "frames.h"

#include <stdint.h>

/* With the hash table, this takes 3.8 MiB. */
#define MAX_NODES (1 << 16)
#define NODE_SLOTS (2 * MAX_NODES)

/* In each stratum of held time of this length, the stack is read at one random
   moment. */
#define STACK_NS 1000000

/* The node of all stacks that were added when the tree was full. */
#define OTHER_NODE 0
/* Instead of a parent: the node is a root. */
#define NO_NODE (-1)
/* Instead of a row of the code table: the root is a thread. */
#define NO_CODE (-1)

typedef struct {
    int32_t parent;         /* a smaller index, or NO_NODE */
    int32_t code;           /* a row of the code table, or NO_CODE */
    int32_t instruction;    /* its index; of a root, the thread's index */
    int64_t held;           /* weight of its stacks; ns */
    int64_t caused;         /* time for which threads waited meanwhile; ns */
    int64_t samples;        /* how many stacks end here */
    double squared_weights; /* the sum of their squares; ns squared */
} ProfileNode;

typedef struct {
    ProfileNode *nodes;
    int32_t n_nodes;
    int32_t *slots;     /* a hash table of nodes; -1 if a slot is free */
    int32_t *new_nodes; /* scratch. Both are NULL in a copy */
    CodeTable codes;

    /* When the stack is read. */
    uint64_t random;  /* state of the random generator */
    int64_t position; /* held time so far; ns */
    int64_t moment;   /* the next random moment in it; ns */
} Profile;

/* Returns 0, or -1 if there is no memory; then profile_free() is safe. */
int profile_init(Profile *profile, uint64_t seed);
/* Returns 0, or -1 if there is no memory, with nothing to be freed. The copy
   is to be read only. */
int profile_copy(const Profile *profile, Profile *copy);
void profile_free(Profile *profile);

/* Must be called for each sample with a holder. Returns the weight of its
   stack; 0 if that need not be read. The weights of stacks are an unbiased
   estimate of the weights of samples. */
int64_t profile_weight(Profile *profile, int64_t sample_weight);
/* The thread with this index held the GIL with this stack, and so many threads
   waited. `stack` is NULL if it could not be read. Returns the index of the
   stack's node. */
int32_t profile_add(Profile *profile, int32_t thread, const FrameStack *stack,
                    int64_t weight, int waiters);
/* Thread i gets the index new_indexes[i]. The nodes of threads that get the
   same index are merged. Returns the new indexes of all nodes, until the next
   call. */
const int32_t *profile_renumber(Profile *profile, const int32_t *new_indexes);

#endif /* GILDEMO_PROFILE_H */
