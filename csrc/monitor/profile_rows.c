/* See profile_rows.h. */

#include "profile_rows.h"

#include "location.h"

#include <stddef.h>

/* The structs that the rows are made of. */

typedef struct {
    SitesSums sums;
    PyObject *codes;
    PyObject *nodes;
} RawProfile;

#define AT(member) offsetof(RawProfile, member)
static const RowField profile_fields[] = {
    {"unavailable", "why there are no stacks", row_str_or_none,
     AT(sums.unavailable)},
    {"waiters_known", "their number is known", row_bool,
     AT(sums.waiters_known)},
    {"stacks", "how many were to be read", row_int64, AT(sums.stacks)},
    {"torn", "... but changed meanwhile", row_int64, AT(sums.torn)},
    {"codes", "list of RawCode; [0] is others", row_object, AT(codes)},
    {"nodes", "list of RawNode; [0] is others", row_object, AT(nodes)},
    {NULL},
};
#undef AT

typedef struct {
    PyObject *function;
    PyObject *file;
    int32_t first_line;
} RawCode;

#define AT(member) offsetof(RawCode, member)
static const RowField code_fields[] = {
    {"function", "co_qualname", row_object, AT(function)},
    {"file", "co_filename", row_object, AT(file)},
    {"first_line", "co_firstlineno", row_int32_or_none, AT(first_line)},
    {NULL},
};
#undef AT

typedef struct {
    ProfileNode node;
    int32_t thread;    /* of a root; otherwise -1 */
    Location location; /* of the node's instruction */
} RawNode;

#define AT(member) offsetof(RawNode, member)
static const RowField node_fields[] = {
    {"parent", "index in nodes, or None", row_int32_or_none, AT(node.parent)},
    {"code", "index in codes; None: a thread", row_int32_or_none,
     AT(node.code)},
    {"thread", "index in threads, or None", row_int32_or_none, AT(thread)},
    {"line", "as in co_positions()", row_int32_or_none, AT(location.line)},
    {"end_line", "...", row_int32_or_none, AT(location.end_line)},
    {"column", "...", row_int32_or_none, AT(location.column)},
    {"end_column", "...", row_int32_or_none, AT(location.end_column)},
    {"held", "weight of its stacks", row_int64, AT(node.held)},
    {"caused", "ns waited meanwhile", row_int64, AT(node.caused)},
    {"samples", "stacks that end here", row_int64, AT(node.samples)},
    {"squared_weights", "sum over them", row_double, AT(node.squared_weights)},
    {NULL},
};
#undef AT

const RowSpec raw_profile_spec = {
    "gildemo._core.RawProfile",
    "Where a Monitor has seen the GIL held.",
    profile_fields,
};
const RowSpec raw_code_spec = {
    "gildemo._core.RawCode",
    "A code object.",
    code_fields,
};
const RowSpec raw_node_spec = {
    "gildemo._core.RawNode",
    "A frame below its caller's, or a thread.",
    node_fields,
};

static PyObject *
new_str(const CodeTable *table, int32_t offset)
{
    const Text text = code_table_text(table, offset);
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
            row = row_type_new(&types->types[RAW_CODE], &raw);
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
        PyObject *row = row_type_new(&types->types[RAW_NODE], &raw);
        if (row == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, i, row);
    }
    return list;
}

PyObject *
profile_rows_new(const SnapshotTypes *types, const SamplerCopy *copy)
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
        profile = row_type_new(&types->types[RAW_PROFILE], &raw);
    }
    Py_XDECREF(raw.codes);
    Py_XDECREF(raw.nodes);
    return profile;
}
