/* waitpid(): a system call that blocks while it holds the GIL, or without it.
 */

#include "module.h"

#ifndef HAVE_WAITPID
#  error "gildemo needs waitpid(): Linux and macOS are supported"
#endif

#include <errno.h>
#include <limits.h>
#include <sys/types.h>
#include <sys/wait.h>

static_assert(sizeof(pid_t) == sizeof(int), "pid_t is not an int");

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
       because it may block for as long as the child runs. Py_END_ALLOW_THREADS
       keeps errno. */
    Py_BEGIN_ALLOW_THREADS
    result = waitpid(pid, status, options);
    Py_END_ALLOW_THREADS
    return result;
}

PyObject *
gildemo_waitpid(PyObject *Py_UNUSED(module), PyObject *args, PyObject *kwargs)
{
    static char *keywords[] = {"pid", "options", "release_gil", NULL};
    IntArgument pid = {"pid", INT_MIN, INT_MAX, 0};
    IntArgument options = {"options", INT_MIN, INT_MAX, 0};
    int release_gil = 1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O&|O&$p:waitpid", keywords,
                                     convert_int, &pid, convert_int, &options,
                                     &release_gil)) {
        return NULL;
    }

    int status = 0; /* With WNOHANG, waitpid() may leave it as it is. */
    pid_t result;
    int async_err = 0;

    /* PEP 475: the wait goes on after a signal, unless its handler raises. */
    do {
        result = release_gil ? waitpid_releasing((pid_t)pid.value, &status,
                                                 (int)options.value)
                             : waitpid_holding((pid_t)pid.value, &status,
                                               (int)options.value);
    } while (result < 0 && errno == EINTR
             && !(async_err = PyErr_CheckSignals()));

    if (result < 0) {
        /* If a handler has raised, that exception is already set. */
        return async_err ? NULL : PyErr_SetFromErrno(PyExc_OSError);
    }
    return Py_BuildValue("ii", (int)result, status);
}
