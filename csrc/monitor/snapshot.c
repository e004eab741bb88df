/* See snapshot.h.
 *
 * Each struct sequence has the members of one C struct. To show one more of
 * them to Python, add a line to its table of fields here, and to _core.pyi.
 */

#include "snapshot.h"

#include "system_calls.h"

#include <stddef.h>

/* The C type of a member, and what becomes of it. */
typedef enum {
    INT32,
    INT64,
    KNOWN_INT64, /* an int64_t; None if it is negative */
    NATIVE_ID,   /* an unsigned long */
    DOUBLE,
    BOOL,   /* an int */
    STATE,  /* a RunState: its name, or None for ABSENT */
    STATE_SAMPLES, /* an array: a dict of name to samples */
    SYSTEM_CALLS,  /* an array: a dict of name to samples */
    OBJECT,        /* a PyObject * */
} Kind;

typedef struct {
    const char *name;
    const char *doc;
    Kind kind;
    size_t offset;
} Field;

#define MAX_FIELDS 32

typedef struct {
    Sums sums;
    int64_t resolution;
    PyObject *threads;
    PyObject *segments;
    PyObject *changes;
} Snapshot;

#define AT(member) offsetof(Snapshot, member)
static const Field snapshot_fields[] = {
    {"begin", "ns of time.monotonic_ns()", INT64, AT(sums.begin)},
    {"end", "time of the newest sample", INT64, AT(sums.end)},
    {"samples", "how many were taken", INT64, AT(sums.samples)},
    {"weight", "ns that the samples stand for", INT64, AT(sums.weight)},
    {"squared_weights", "sum over samples", DOUBLE, AT(sums.squared_weights)},
    {"held", "weight with a holder of the GIL", INT64, AT(sums.held)},
    {"variance", "of held", DOUBLE, AT(sums.variance)},
    {"switches", "of the GIL, or None", KNOWN_INT64, AT(sums.switches)},
    {"waiting_known", "scans see who waits", BOOL, AT(sums.waiting_known)},
    {"cpu", "ns of CPU time used by the Monitor", INT64, AT(sums.cpu)},
    {"resolution", "ns; less may be left out", INT64, AT(resolution)},
    {"threads", "list of ThreadSums; [0] is others", OBJECT, AT(threads)},
    {"segments", "list of Segment", OBJECT, AT(segments)},
    {"changes", "list of StateChange", OBJECT, AT(changes)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(ThreadSums, member)
static const Field thread_fields[] = {
    {"native_id", "the kernel's id, or 0", NATIVE_ID, AT(native_id)},
    {"held", "weight with it as holder", INT64, AT(held)},
    {"longest_hold", "ns", INT64, AT(longest_hold)},
    {"lifetime", "ns with a thread state", INT64, AT(lifetime)},
    {"samples", "of scans, by state", STATE_SAMPLES, AT(samples)},
    {"system_calls", "samples by name", SYSTEM_CALLS, AT(system_calls)},
    {"cpu", "ns of CPU time, or None", KNOWN_INT64, AT(cpu)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(Segment, member)
static const Field segment_fields[] = {
    {"begin", "ns of time.monotonic_ns()", INT64, AT(begin)},
    {"holder", "index in threads; -1 for nobody", INT32, AT(holder)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(StateChange, member)
static const Field change_fields[] = {
    {"time", "ns of time.monotonic_ns()", INT64, AT(time)},
    {"thread", "index in threads", INT32, AT(thread)},
    {"state", "from then on, or None if it is gone", STATE, AT(state)},
    {NULL},
};
#undef AT

/* Indexes in SnapshotTypes.types, and here. */
enum { SNAPSHOT, THREAD_SUMS, SEGMENT, STATE_CHANGE };

static const struct {
    const char *name;
    const char *doc;
    const Field *fields;
} specs[N_SNAPSHOT_TYPES] = {
    [SNAPSHOT] = {"gildemo._core.Snapshot", "What a Monitor has seen so far.",
                  snapshot_fields},
    [THREAD_SUMS] = {"gildemo._core.ThreadSums",
                     "What a Monitor has seen of one thread.", thread_fields},
    [SEGMENT] = {"gildemo._core.Segment",
                 "A time with one holder, up to the next Segment.",
                 segment_fields},
    [STATE_CHANGE] = {"gildemo._core.StateChange",
                      "A thread was seen in another state than before.",
                      change_fields},
};

static PyTypeObject *
new_type(int i)
{
    PyStructSequence_Field fields[MAX_FIELDS + 1] = {{NULL, NULL}};
    int n = 0;
    for (const Field *field = specs[i].fields; field->name != NULL; field++) {
        assert(n < MAX_FIELDS);
        fields[n].name = field->name;
        fields[n].doc = field->doc;
        n++;
    }
    PyStructSequence_Desc description = {specs[i].name, specs[i].doc, fields,
                                         n};
    return PyStructSequence_NewType(&description);
}

int
snapshot_types_init(SnapshotTypes *types, PyObject *module)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        types->types[i] = new_type(i);
        if (types->types[i] == NULL
            || PyModule_AddType(module, types->types[i]) < 0) {
            return -1;
        }
    }
    return 0;
}

int
snapshot_types_traverse(SnapshotTypes *types, visitproc visit, void *arg)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        Py_VISIT(types->types[i]);
    }
    return 0;
}

void
snapshot_types_clear(SnapshotTypes *types)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        Py_CLEAR(types->types[i]);
    }
}

static const char *const state_names[N_SAMPLED_STATES] = {
    [HOLDS] = "holds",
    [WAITS] = "waits",
    [COMPUTES] = "computes",
    [IDLE] = "idle",
    [LOCKED] = "locked",
    [IN_SYSTEM_CALL] = "in_system_call",
    [NOT_OBSERVED] = "not_observed",
};

/* Returns 0, or -1 with an exception set. Two numbers may have one name: ppoll
   is shown as poll. */
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

static PyObject *
new_state_samples(const int64_t *samples)
{
    PyObject *dict = PyDict_New();
    for (int i = 0; dict != NULL && i < N_SAMPLED_STATES; i++) {
        if (add_count(dict, state_names[i], samples[i]) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

static PyObject *
new_system_calls(const SystemCallSamples *calls)
{
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

static PyObject *
new_value(Kind kind, const void *member)
{
    switch (kind) {
    case INT32:
        return PyLong_FromLong(*(const int32_t *)member);
    case INT64:
        return PyLong_FromLongLong(*(const int64_t *)member);
    case KNOWN_INT64:
        if (*(const int64_t *)member < 0) {
            Py_RETURN_NONE;
        }
        return PyLong_FromLongLong(*(const int64_t *)member);
    case NATIVE_ID:
        return PyLong_FromUnsignedLong(*(const unsigned long *)member);
    case DOUBLE:
        return PyFloat_FromDouble(*(const double *)member);
    case BOOL:
        return PyBool_FromLong(*(const int *)member);
    case STATE: {
        const RunState state = *(const RunState *)member;
        if (state == ABSENT) {
            Py_RETURN_NONE;
        }
        return PyUnicode_InternFromString(state_names[state]);
    }
    case STATE_SAMPLES:
        return new_state_samples(member);
    case SYSTEM_CALLS:
        return new_system_calls(member);
    case OBJECT:
        return Py_NewRef(*(PyObject *const *)member);
    }
    Py_UNREACHABLE();
}

static PyObject *
new_row(const SnapshotTypes *types, int i, const void *item)
{
    PyObject *row = PyStructSequence_New(types->types[i]);
    const Field *fields = specs[i].fields;
    for (int k = 0; row != NULL && fields[k].name != NULL; k++) {
        PyObject *value =
            new_value(fields[k].kind, (const char *)item + fields[k].offset);
        if (value == NULL) {
            Py_CLEAR(row);
            break;
        }
        PyStructSequence_SetItem(row, k, value);
    }
    return row;
}

/* A list of rows, made of an array of n items. */
static PyObject *
new_list(const SnapshotTypes *types, int i, const void *items, int32_t n,
         size_t size)
{
    PyObject *list = PyList_New(n);
    for (int32_t k = 0; list != NULL && k < n; k++) {
        const char *item = (const char *)items + (size_t)k * size;
        PyObject *row = new_row(types, i, item);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, k, row);
    }
    return list;
}

PyObject *
snapshot_new(const SnapshotTypes *types, const History *history)
{
    const Timeline *timeline = &history->timeline;
    Snapshot snapshot = {
        .sums = history->sums,
        .resolution = timeline->resolution,
    };
    PyObject *result = NULL;
    snapshot.threads = new_list(types, THREAD_SUMS, history->threads,
                                history->n_threads, sizeof(ThreadSums));
    if (snapshot.threads == NULL) {
        goto done;
    }
    snapshot.segments = new_list(types, SEGMENT, timeline->segments,
                                 timeline->n_segments, sizeof(Segment));
    if (snapshot.segments == NULL) {
        goto done;
    }
    snapshot.changes = new_list(types, STATE_CHANGE, timeline->changes,
                                timeline->n_changes, sizeof(StateChange));
    if (snapshot.changes == NULL) {
        goto done;
    }
    result = new_row(types, SNAPSHOT, &snapshot);
done:
    Py_XDECREF(snapshot.threads);
    Py_XDECREF(snapshot.segments);
    Py_XDECREF(snapshot.changes);
    return result;
}
