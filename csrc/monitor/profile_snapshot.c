/* See profile_snapshot.h, and snapshot.c for how to add a field. */

#include "profile_snapshot.h"

#include "location.h"

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

enum { RAW_PROFILE, RAW_CODE, RAW_NODE };

const RowSpec profile_specs[N_PROFILE_TYPES] = {
    [RAW_PROFILE] = {"gildemo._core.RawProfile",
                     "Where a Monitor has seen the GIL held.", profile_fields},
    [RAW_CODE] = {"gildemo._core.RawCode", "A code object.", code_fields},
    [RAW_NODE] = {"gildemo._core.RawNode",
                  "A frame below its caller's, or a thread.", node_fields},
};

static PyObject *
new_str(const CodeTable *table, int32_t place)
{
    const Text text = code_table_text(table, place);
    return PyUnicode_DecodeUTF8(text.bytes, (Py_ssize_t)text.size,
                                "surrogatepass");
}

static PyObject *
new_code_list(PyTypeObject *const *types, const CodeTable *table)
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
            row = row_new(types[RAW_CODE], &profile_specs[RAW_CODE], &raw);
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
new_node_list(PyTypeObject *const *types, const Profile *profile)
{
    PyObject *list = PyList_New(profile->n_nodes);
    for (int32_t i = 0; list != NULL && i < profile->n_nodes; i++) {
        const RawNode raw = raw_node(&profile->codes, &profile->nodes[i]);
        PyObject *row =
            row_new(types[RAW_NODE], &profile_specs[RAW_NODE], &raw);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

PyObject *
profile_snapshot_new(PyTypeObject *const *types, const SitesCopy *copy)
{
    if (!copy->wanted) {
        Py_RETURN_NONE;
    }
    RawProfile raw = {
        .sums = copy->sums,
        .codes = new_code_list(types, &copy->profile.codes),
    };
    if (raw.codes != NULL) {
        raw.nodes = new_node_list(types, &copy->profile);
    }
    PyObject *profile = NULL;
    if (raw.nodes != NULL) {
        profile =
            row_new(types[RAW_PROFILE], &profile_specs[RAW_PROFILE], &raw);
    }
    Py_XDECREF(raw.codes);
    Py_XDECREF(raw.nodes);
    return profile;
}
