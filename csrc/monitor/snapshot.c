/* See snapshot.h.
 *
 * Each struct sequence has the members of one C struct. To show one more of
 * them to Python, add a line to its table of fields, here or in
 * profile_rows.c, and to _core.pyi.
 */

#include "snapshot.h"

#include "profile_rows.h"
#include "system_calls.h"

#include <stddef.h>

static const char *const state_names[N_SAMPLED_STATES] = {
    [HOLDS] = "holds",
    [WAITS] = "waits",
    [COMPUTES] = "computes",
    [IDLE] = "idle",
    [LOCKED] = "locked",
    [IN_SYSTEM_CALL] = "in_system_call",
    [NOT_OBSERVED] = "not_observed",
};

/* A RowValue for a RunState: its name, or None for ABSENT. */
static PyObject *
state_name(const void *member)
{
    const RunState state = *(const RunState *)member;
    if (state == ABSENT) {
        Py_RETURN_NONE;
    }
    return PyUnicode_InternFromString(state_names[state]);
}

/* Returns 0, or -1 with an exception set. Two system calls may have the same
   name: ppoll is shown as poll. */
static int
add_count(PyObject *dict, const char *name, int64_t count)
{
    PyObject *before = PyDict_GetItemString(dict, name);
    if (before != NULL) {
        count += PyLong_AsLongLong(before);
    }
    PyObject *value = PyLong_FromLongLong(count);
    if (value == NULL) {
        return -1;
    }
    const int failed = PyDict_SetItemString(dict, name, value);
    Py_DECREF(value);
    return failed;
}

/* A RowValue for ThreadSums.samples: a dict of names to numbers. */
static PyObject *
state_samples(const void *member)
{
    const int64_t *samples = member;
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && i < N_SAMPLED_STATES; i++) {
        if (add_count(dict, state_names[i], samples[i]) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

/* A RowValue for ThreadSums.system_calls: a dict of names to numbers. */
static PyObject *
system_calls(const void *member)
{
    const SystemCallSamples *calls = member;
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && i < MAX_SYSTEM_CALLS; i++) {
        char number[48];
        const char *name = system_call_name(calls[i].number);
        if (calls[i].samples == 0) {
            break;
        }
        if (name == NULL) {
            (void)snprintf(number, sizeof(number), "system call %ld",
                           calls[i].number);
            name = number;
        }
        if (add_count(dict, name, calls[i].samples) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

/* The struct that a Snapshot is made of. */
typedef struct {
    Sums sums;
    int64_t resolution;
    PyObject *threads;
    PyObject *segments;
    PyObject *changes;
    PyObject *long_holds;
    PyObject *profile;
} Snapshot;

#define AT(member) offsetof(Snapshot, member)
static const RowField snapshot_fields[] = {
    {"begin", "ns of time.monotonic_ns()", row_int64, AT(sums.begin)},
    {"end", "time of the newest sample", row_int64, AT(sums.end)},
    {"samples", "how many were taken", row_int64, AT(sums.samples)},
    {"weight", "ns that the samples stand for", row_int64, AT(sums.weight)},
    {"squared_weights", "sum over samples", row_double,
     AT(sums.squared_weights)},
    {"held", "weight with a holder of the GIL", row_int64, AT(sums.held)},
    {"variance", "of held", row_double, AT(sums.variance)},
    {"switches", "of the GIL, or None", row_int64_or_none, AT(sums.switches)},
    {"waiting_known", "scans see who waits", row_bool, AT(sums.waiting_known)},
    {"cpu", "ns of CPU time used by the Monitor", row_int64, AT(sums.cpu)},
    {"resolution", "ns; less may be left out", row_int64, AT(resolution)},
    {"threads", "list of ThreadSums; [0] is others", row_object, AT(threads)},
    {"segments", "list of Segment", row_object, AT(segments)},
    {"changes", "list of StateChange", row_object, AT(changes)},
    {"long_holds", "list of LongHold", row_object, AT(long_holds)},
    {"profile", "a RawProfile, or None", row_object, AT(profile)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(ThreadSums, member)
static const RowField thread_fields[] = {
    {"native_id", "the kernel's id, or 0", row_unsigned_long, AT(native_id)},
    {"held", "weight with it as holder", row_int64, AT(held)},
    {"longest_hold", "ns", row_int64, AT(longest_hold)},
    {"lifetime", "ns with a thread state", row_int64, AT(lifetime)},
    {"samples", "of scans, by state", state_samples, AT(samples)},
    {"system_calls", "samples by name", system_calls, AT(system_calls)},
    {"cpu", "ns of CPU time, or None", row_int64_or_none, AT(cpu)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(Segment, member)
static const RowField segment_fields[] = {
    {"begin", "ns of time.monotonic_ns()", row_int64, AT(begin)},
    {"holder", "index in threads; -1 for nobody", row_int32, AT(holder)},
    {"node", "of the last stack, or None", row_int32_or_none, AT(node)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(LongHold, member)
static const RowField long_hold_fields[] = {
    {"begin", "ns of time.monotonic_ns()", row_int64, AT(begin)},
    {"end", "ns of time.monotonic_ns()", row_int64, AT(end)},
    {"holder", "index in threads", row_int32, AT(holder)},
    {"node", "of the last stack, or None", row_int32_or_none, AT(node)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(StateChange, member)
static const RowField change_fields[] = {
    {"time", "ns of time.monotonic_ns()", row_int64, AT(time)},
    {"thread", "index in threads", row_int32, AT(thread)},
    {"state", "from then on, or None if it is gone", state_name, AT(state)},
    {NULL},
};
#undef AT

static const RowSpec snapshot_spec = {
    "gildemo._core.Snapshot",
    "What a Monitor has seen so far.",
    snapshot_fields,
};
static const RowSpec thread_spec = {
    "gildemo._core.ThreadSums",
    "What a Monitor has seen of one thread.",
    thread_fields,
};
static const RowSpec segment_spec = {
    "gildemo._core.Segment",
    "A time with one holder, up to the next Segment.",
    segment_fields,
};
static const RowSpec change_spec = {
    "gildemo._core.StateChange",
    "A thread was seen in another state than before.",
    change_fields,
};
static const RowSpec long_hold_spec = {
    "gildemo._core.LongHold",
    "One of the longest holds.",
    long_hold_fields,
};

static const RowSpec *const specs[N_SNAPSHOT_TYPES] = {
    [SNAPSHOT] = &snapshot_spec,   [THREAD_SUMS] = &thread_spec,
    [SEGMENT] = &segment_spec,     [STATE_CHANGE] = &change_spec,
    [LONG_HOLD] = &long_hold_spec, [RAW_PROFILE] = &raw_profile_spec,
    [RAW_CODE] = &raw_code_spec,   [RAW_NODE] = &raw_node_spec,
};

int
snapshot_types_init(SnapshotTypes *types, PyObject *module)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        if (row_type_init(&types->types[i], specs[i], module) < 0) {
            return -1;
        }
    }
    return 0;
}

int
snapshot_types_traverse(SnapshotTypes *types, visitproc visit, void *arg)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        Py_VISIT(types->types[i].type);
    }
    return 0;
}

void
snapshot_types_clear(SnapshotTypes *types)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        Py_CLEAR(types->types[i].type);
    }
}

PyObject *
snapshot_new(const SnapshotTypes *types, const SamplerCopy *copy)
{
    const History *history = &copy->history;
    const Timeline *timeline = &history->timeline;
    Snapshot snapshot = {
        .sums = history->sums,
        .resolution = timeline->resolution,
    };
    PyObject *result = NULL;
    snapshot.threads =
        row_type_new_list(&types->types[THREAD_SUMS], history->threads,
                          history->n_threads, sizeof(ThreadSums));
    if (snapshot.threads == NULL) {
        goto done;
    }
    snapshot.segments =
        row_type_new_list(&types->types[SEGMENT], timeline->segments,
                          timeline->n_segments, sizeof(Segment));
    if (snapshot.segments == NULL) {
        goto done;
    }
    snapshot.changes =
        row_type_new_list(&types->types[STATE_CHANGE], timeline->changes,
                          timeline->n_changes, sizeof(StateChange));
    if (snapshot.changes == NULL) {
        goto done;
    }
    snapshot.long_holds =
        row_type_new_list(&types->types[LONG_HOLD], history->long_holds,
                          history->n_long_holds, sizeof(LongHold));
    if (snapshot.long_holds == NULL) {
        goto done;
    }
    snapshot.profile = profile_rows_new(types, copy);
    if (snapshot.profile == NULL) {
        goto done;
    }
    result = row_type_new(&types->types[SNAPSHOT], &snapshot);
done:
    Py_XDECREF(snapshot.threads);
    Py_XDECREF(snapshot.segments);
    Py_XDECREF(snapshot.changes);
    Py_XDECREF(snapshot.long_holds);
    Py_XDECREF(snapshot.profile);
    return result;
}
