/* See snapshot.h.
 *
 * Each struct sequence has the members of one C struct. To show one more of
 * them to Python, add a line to its table of fields here, and to _core.pyi.
 */

#include "snapshot.h"

#include "location.h"
#include "system_calls.h"

#include <stddef.h>

/* The C type of a member, and what becomes of it. */
typedef enum {
    INT32,
    INT64,
    KNOWN_INT64, /* an int64_t; None if it is negative */
    NATIVE_ID,   /* an unsigned long */
    DOUBLE,
    BOOL,          /* an int */
    STATE,         /* a RunState: its name, or None for ABSENT */
    STATE_SAMPLES, /* an array: a dict of name to samples */
    SYSTEM_CALLS,  /* an array: a dict of name to samples */
    OBJECT,        /* a PyObject * */
    STRING,        /* a const char *; None if it is NULL */
    KNOWN_INT32,
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
    PyObject *long_holds;
    PyObject *profile;
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
    {"long_holds", "list of LongHold", OBJECT, AT(long_holds)},
    {"profile", "a RawProfile, or None", OBJECT, AT(profile)},
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
    {"node", "of the last stack, or None", KNOWN_INT32, AT(node)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(LongHold, member)
static const Field long_hold_fields[] = {
    {"begin", "ns of time.monotonic_ns()", INT64, AT(begin)},
    {"end", "ns of time.monotonic_ns()", INT64, AT(end)},
    {"holder", "index in threads", INT32, AT(holder)},
    {"node", "of the last stack, or None", KNOWN_INT32, AT(node)},
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

typedef struct {
    SitesSums sums;
    PyObject *codes;
    PyObject *nodes;
} RawProfile;

#define AT(member) offsetof(RawProfile, member)
static const Field profile_fields[] = {
    {"unavailable", "why there are no stacks", STRING, AT(sums.unavailable)},
    {"waiters_known", "their number is known", BOOL, AT(sums.waiters_known)},
    {"stacks", "how many were to be read", INT64, AT(sums.stacks)},
    {"torn", "... but changed meanwhile", INT64, AT(sums.torn)},
    {"codes", "list of RawCode; [0] is others", OBJECT, AT(codes)},
    {"nodes", "list of RawNode; [0] is others", OBJECT, AT(nodes)},
    {NULL},
};
#undef AT

typedef struct {
    PyObject *function;
    PyObject *file;
    int32_t first_line;
} RawCode;

#define AT(member) offsetof(RawCode, member)
static const Field code_fields[] = {
    {"function", "co_qualname", OBJECT, AT(function)},
    {"file", "co_filename", OBJECT, AT(file)},
    {"first_line", "co_firstlineno", KNOWN_INT32, AT(first_line)},
    {NULL},
};
#undef AT

typedef struct {
    ProfileNode node;
    int32_t thread;
    Location location;
} RawNode;

#define AT(member) offsetof(RawNode, member)
static const Field node_fields[] = {
    {"parent", "index in nodes, or None", KNOWN_INT32, AT(node.parent)},
    {"code", "index in codes; None: a thread", KNOWN_INT32, AT(node.code)},
    {"thread", "index in threads, or None", KNOWN_INT32, AT(thread)},
    {"line", "as in co_positions()", KNOWN_INT32, AT(location.line)},
    {"end_line", "...", KNOWN_INT32, AT(location.end_line)},
    {"column", "...", KNOWN_INT32, AT(location.column)},
    {"end_column", "...", KNOWN_INT32, AT(location.end_column)},
    {"held", "weight of its stacks", INT64, AT(node.held)},
    {"caused", "ns waited meanwhile", INT64, AT(node.caused)},
    {"samples", "stacks that end here", INT64, AT(node.samples)},
    {"squared_weights", "sum over them", DOUBLE, AT(node.squared_weights)},
    {NULL},
};
#undef AT

/* Indexes in SnapshotTypes.types, and here. */
enum {
    SNAPSHOT,
    THREAD_SUMS,
    SEGMENT,
    STATE_CHANGE,
    LONG_HOLD,
    RAW_PROFILE,
    RAW_CODE,
    RAW_NODE
};

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
    [LONG_HOLD] = {"gildemo._core.LongHold", "One of the longest holds.",
                   long_hold_fields},
    [RAW_PROFILE] = {"gildemo._core.RawProfile",
                     "Where a Monitor has seen the GIL held.", profile_fields},
    [RAW_CODE] = {"gildemo._core.RawCode", "A code object.", code_fields},
    [RAW_NODE] = {"gildemo._core.RawNode",
                  "A frame below its caller's, or a thread.", node_fields},
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
    case STRING:
        return Py_BuildValue("s", *(const char *const *)member);
    case KNOWN_INT32:
        if (*(const int32_t *)member < 0) {
            Py_RETURN_NONE;
        }
        return PyLong_FromLong(*(const int32_t *)member);
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

static PyObject *
new_str(const CodeTable *table, int32_t place)
{
    const Text text = code_table_text(table, place);
    return PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size,
                                "surrogatepass");
}

static PyObject *
new_code_list(const SnapshotTypes *types, const CodeTable *table)
{
    PyObject *list = PyList_New(table->n_codes);
    for (int32_t i = 0; list != NULL && i < table->n_codes; i++) {
        const Code *code = &table->codes[i];
        RawCode raw = {
            .function = new_str(table, code->name),
            .file = new_str(table, code->file),
            .first_line = code->first_line,
        };
        PyObject *row = NULL;
        if (raw.function != NULL && raw.file != NULL) {
            row = new_row(types, RAW_CODE, &raw);
        }
        Py_XDECREF(raw.function);
        Py_XDECREF(raw.file);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

static RawNode
raw_node(const CodeTable *table, const ProfileNode *node)
{
    if (node->code == NO_CODE) {
        return (RawNode){*node, node->instruction, {-1, -1, -1, -1}};
    }
    const Code *code = &table->codes[node->code];
    const Text locations = code_table_text(table, code->locations);
    return (RawNode){*node, -1,
                     location_of((const uint8_t *)locations.bytes,
                                 locations.size, code->first_line,
                                 node->instruction)};
}

static PyObject *
new_node_list(const SnapshotTypes *types, const Profile *profile)
{
    PyObject *list = PyList_New(profile->n_nodes);
    for (int32_t i = 0; list != NULL && i < profile->n_nodes; i++) {
        const RawNode raw = raw_node(&profile->codes, &profile->nodes[i]);
        PyObject *row = new_row(types, RAW_NODE, &raw);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

static PyObject *
new_profile(const SnapshotTypes *types, const SamplerCopy *copy)
{
    if (!copy->has_sites) {
        Py_RETURN_NONE;
    }
    RawProfile raw = {
        .sums = copy->sites,
        .codes = new_code_list(types, &copy->profile.codes),
    };
    if (raw.codes != NULL) {
        raw.nodes = new_node_list(types, &copy->profile);
    }
    PyObject *profile = NULL;
    if (raw.nodes != NULL) {
        profile = new_row(types, RAW_PROFILE, &raw);
    }
    Py_XDECREF(raw.codes);
    Py_XDECREF(raw.nodes);
    return profile;
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
    snapshot.long_holds = new_list(types, LONG_HOLD, history->long_holds,
                                   history->n_long_holds, sizeof(LongHold));
    if (snapshot.long_holds == NULL) {
        goto done;
    }
    snapshot.profile = new_profile(types, copy);
    if (snapshot.profile == NULL) {
        goto done;
    }
    result = new_row(types, SNAPSHOT, &snapshot);
done:
    Py_XDECREF(snapshot.threads);
    Py_XDECREF(snapshot.segments);
    Py_XDECREF(snapshot.changes);
    Py_XDECREF(snapshot.long_holds);
    Py_XDECREF(snapshot.profile);
    return result;
}
