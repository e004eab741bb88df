/* See snapshot.h.
 *
 * Each struct sequence has the members of one C struct. To show one more of
 * them to Python, add a line to its table of fields here, and to _core.pyi.
 */

#include "snapshot.h"

#include "profile_snapshot.h"

#include <stddef.h>

typedef struct {
    Sums sums;
    int64_t resolution;
    PyObject *threads;
    PyObject *segments;
    PyObject *changes;
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
    {"scans", "looks at threads that may wait", INT64, AT(sums.scans)},
    {"waiting_known", "scans see who waits", BOOL, AT(sums.waiting_known)},
    {"cpu", "ns of CPU time used by the Monitor", INT64, AT(sums.cpu)},
    {"resolution", "ns; less may be left out", INT64, AT(resolution)},
    {"threads", "list of ThreadSums; [0] is others", OBJECT, AT(threads)},
    {"segments", "list of Segment", OBJECT, AT(segments)},
    {"changes", "list of WaitChange", OBJECT, AT(changes)},
    {"profile", "a RawProfile, or None", OBJECT, AT(profile)},
    {NULL},
};
#undef AT

#define AT(member) offsetof(ThreadSums, member)
static const Field thread_fields[] = {
    {"native_id", "the kernel's id, or 0", NATIVE_ID, AT(native_id)},
    {"held", "weight with it as holder", INT64, AT(held)},
    {"longest_hold", "ns", INT64, AT(longest_hold)},
    {"scans", "scans while it was there", INT64, AT(scans)},
    {"thread_samples", "scans that sampled it", INT64, AT(thread_samples)},
    {"waiting_samples", "... and saw it wait", INT64, AT(waiting_samples)},
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

#define AT(member) offsetof(WaitChange, member)
static const Field change_fields[] = {
    {"time", "ns of time.monotonic_ns()", INT64, AT(time)},
    {"thread", "index in threads", INT32, AT(thread)},
    {"waiting", "True if it began to wait", BOOL, AT(waiting)},
    {NULL},
};
#undef AT

/* Indexes in SnapshotTypes.types, where those of a profile follow. */
enum { SNAPSHOT, THREAD_SUMS, SEGMENT, WAIT_CHANGE, PROFILE };
_Static_assert(PROFILE + N_PROFILE_TYPES == N_SNAPSHOT_TYPES,
               "there is room for all types");

static const RowSpec specs[PROFILE] = {
    [SNAPSHOT] = {"gildemo._core.Snapshot", "What a Monitor has seen so far.",
                  snapshot_fields},
    [THREAD_SUMS] = {"gildemo._core.ThreadSums",
                     "What a Monitor has seen of one thread.", thread_fields},
    [SEGMENT] = {"gildemo._core.Segment",
                 "A time with one holder, up to the next Segment.",
                 segment_fields},
    [WAIT_CHANGE] = {"gildemo._core.WaitChange",
                     "A thread began or ceased to wait for the GIL.",
                     change_fields},
};

int
snapshot_types_init(SnapshotTypes *types, PyObject *module)
{
    for (int i = 0; i < N_SNAPSHOT_TYPES; i++) {
        types->types[i] = row_type_new(
            i < PROFILE ? &specs[i] : &profile_specs[i - PROFILE]);
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

static PyObject *
new_list(const SnapshotTypes *types, int i, const void *items, int32_t n,
         size_t size)
{
    return row_list_new(types->types[i], &specs[i], items, n, size);
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
    snapshot.changes = new_list(types, WAIT_CHANGE, timeline->changes,
                                timeline->n_changes, sizeof(WaitChange));
    if (snapshot.changes == NULL) {
        goto done;
    }
    snapshot.profile =
        profile_snapshot_new(types->types + PROFILE, &copy->sites);
    if (snapshot.profile == NULL) {
        goto done;
    }
    result = row_new(types->types[SNAPSHOT], &specs[SNAPSHOT], &snapshot);
done:
    Py_XDECREF(snapshot.threads);
    Py_XDECREF(snapshot.segments);
    Py_XDECREF(snapshot.changes);
    Py_XDECREF(snapshot.profile);
    return result;
}
