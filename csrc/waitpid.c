/* waitpid(): a call that blocks, holding the GIL or having released it. */

#include "module.h"

#ifndef HAVE_WAITPID
#  error "gildemo needs waitpid(): Linux and macOS are supported"
#endif

#include <errno.h>
#include <sys/types.h>
#include <sys/wait.h>

static pid_t
waitpid_holding(pid_t pid, int *status, int options)
{
    pid_t result;

    result = waitpid(pid, status, options);
    return result;
}

static pid_t
waitpid_releasing(pid_t pid, int *status, int options)
{
    pid_t result;

    /* Safe, because waitpid() writes only to the caller's C int; worth it,
       because it may block for as long as a child lives. Attaching again
       keeps errno. */
    Py_BEGIN_ALLOW_THREADS
    result = waitpid(pid, status, options);
    Py_END_ALLOW_THREADS
    return result;
}

PyObject *
gildemo_waitpid(PyObject *Py_UNUSED(module), PyObject *const *args,
                Py_ssize_t nargs, PyObject *kwnames)
{
    static const char *const parameters[] = {"pid", "options", "release_gil"};
    static const Signature signature = {"waitpid", parameters, 1, 2, 3};
    PyObject *bound[3];
    int pid;
    int options = 0;
    int release_gil = 1;

    /* pid_t is an int wherever CPython has waitpid(). */
    static_assert(sizeof(pid_t) == sizeof(int), "pid_t is not an int");

    if (gildemo_bind(&signature, args, nargs, kwnames, bound) < 0
        || gildemo_as_int(bound[0], "pid", &pid) < 0) {
        return NULL;
    }
    if (bound[1] != NULL
        && gildemo_as_int(bound[1], "options", &options) < 0) {
        return NULL;
    }
    if (bound[2] != NULL && gildemo_as_bool(bound[2], &release_gil) < 0) {
        return NULL;
    }

    /* With WNOHANG and no child to report, waitpid() leaves it as it was. */
    int status = 0;
    pid_t result;
    int async_err = 0;

    /* PEP 475: a signal whose handler raises nothing does not end the wait. */
    do {
        result = release_gil ? waitpid_releasing(pid, &status, options)
                             : waitpid_holding(pid, &status, options);
    } while (result < 0 && errno == EINTR
             && !(async_err = PyErr_CheckSignals()));

    if (result < 0) {
        /* What the signal's handler raised goes before the EINTR. */
        return async_err ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("ii", (int)result, status);
}
