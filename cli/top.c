/* actsearch top: a live view of a search in the terminal.
 *
 * The view is on the terminal's other screen, and keys come unechoed. Whatever ends the program (a key, a
 * signal, an error), terminal_leave has put both back before; a program that is suspended leaves too, and
 * enters again.
 */
#include "cli/commands.h"
#include "cli/dashboard.h"
#include "cli/options.h"
#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { OPTION_ONCE = OPTION_OWN, REFRESH_S = 1, ROWS_ONCE = 40 };

struct arguments {
    const char *path;
    bool once;
};

static const struct argp_option options[] = {
    {"once", OPTION_ONCE, 0, 0, "Print it once, without colours where that is no terminal, and end", 0},
    {0},
};

static error_t parse_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_ONCE:
        arguments->once = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->path)
            argp_error(state, "one database at a time: '%s' is a second one", value);
        arguments->path = value;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->path)
            argp_error(state, "expected a results database, DB");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp parser = {
    .options = options,
    .parser = parse_option,
    .args_doc = "DB",
    .doc = "Shows how a search stands, anew each second: how far it is, the best functions, the workers and "
           "what they "
           "train, lost attempts. Only reads; q or Ctrl-C ends the view, not the search.\v"
           "Where the output is no terminal it is printed once. NO_COLOR=1 turns colours off.",
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the terminal -------------------------------------------------------------------------------------- */

struct screen_state {
    bool keys;            /* standard input is a terminal too */
    struct termios found; /* how it was */
};

static void terminal_enter(struct screen_state *state)
{
    state->keys = tcgetattr(STDIN_FILENO, &state->found) == 0;
    if (state->keys) {
        struct termios raw = state->found;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    fputs("\033[?1049h\033[?25l", stdout); /* the other screen, no cursor */
    fflush(stdout);
}

static void terminal_leave(const struct screen_state *state)
{
    fputs("\033[?25h\033[?1049l", stdout);
    fflush(stdout);
    if (state->keys)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &state->found);
}

/* ---- signals ------------------------------------------------------------------------------------------- */

/* Which one came last; 0: none. Our thread takes them while it waits. A thread of a library may take one at
 * any other time; that one is seen when the wait is over, a second later at most. */
static volatile sig_atomic_t arrived;

static void note(int signal_number)
{
    arrived = signal_number;
}

static const int noted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
enum { NOTED = sizeof noted / sizeof *noted };

static void take_signals(sigset_t *ret_before)
{
    sigset_t blocked;
    sigemptyset(&blocked);
    for (int i = 0; i < NOTED; i++) {
        struct sigaction action = {.sa_handler = note};
        sigaction(noted[i], &action, NULL);
        sigaddset(&blocked, noted[i]);
    }
    sigprocmask(SIG_BLOCK, &blocked, ret_before);
}

/* Stops as Ctrl-Z does, and returns when it is to go on. */
static void suspend(const sigset_t *before)
{
    sigset_t now;
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGTSTP, &action, NULL);
    raise(SIGTSTP);
    sigprocmask(SIG_SETMASK, before, &now);
    sigprocmask(SIG_SETMASK, &now, NULL);
    action.sa_handler = note;
    sigaction(SIGTSTP, &action, NULL);
}

/* Waits for a second, a key or a signal. Returns false where the view is to end. */
static bool wait_for_more(struct screen_state *state, const sigset_t *before)
{
    struct pollfd input = {.fd = state->keys ? STDIN_FILENO : -1, .events = POLLIN};
    const struct timespec second = {.tv_sec = REFRESH_S};
    const int ready = arrived ? 0 : ppoll(&input, 1, &second, before);
    const int signal_number = arrived;
    arrived = 0;
    if (signal_number == SIGTSTP) {
        terminal_leave(state);
        suspend(before);
        terminal_enter(state);
    } else if (signal_number != 0 && signal_number != SIGWINCH) {
        return false;
    }
    char key = 'q'; /* also at the end of the input */
    return ready <= 0 || (read(STDIN_FILENO, &key, 1) == 1 && key != 'q' && key != 'Q');
}

/* ---- the view ------------------------------------------------------------------------------------------ */

static int draw(const char *path, struct dashboard *dashboard, struct store_reader *reader, bool once,
                struct problem *problem)
{
    struct dashboard_view view = {
        .colours = terminal_has_colours(stdout), .now_ms = now_ms(), .coordinator = control_life(path)};
    struct buf text = {0};
    terminal_size(stdout, &view.columns, &view.rows);
    view.rows = once ? ROWS_ONCE : view.rows - 1; /* the last line of the text ends in a line break */
    int err = dashboard_draw(dashboard, reader, &view, &text, problem);
    if (!err && once)
        fputs(buf_text(&text), stdout);
    else if (!err) {
        /* Line by line over what stands there, so that nothing flickers; then clear what is left. */
        fputs("\033[H", stdout);
        for (const char *at = buf_text(&text); *at;) {
            const size_t size = strcspn(at, "\n");
            printf("%.*s\033[K\n", (int)size, at);
            at += size + (at[size] == '\n');
        }
        fputs("\033[J", stdout);
        fflush(stdout);
    }
    buf_release(&text);
    return err;
}

static int watch(const char *path, struct dashboard *dashboard, struct store_reader *reader,
                 struct problem *problem)
{
    struct screen_state state;
    sigset_t before;
    take_signals(&before);
    terminal_enter(&state);
    int err;
    do
        err = draw(path, dashboard, reader, false, problem);
    while (!err && wait_for_more(&state, &before));
    terminal_leave(&state);
    return err;
}

int cli_top(int argc, char **argv)
{
    struct arguments arguments = {0};
    argp_parse(&parser, argc, argv, 0, NULL, &arguments);
    struct store_reader *reader = NULL;
    struct dashboard dashboard = {0};
    struct problem problem = {0};
    int err = store_reader_open(arguments.path, &reader, &problem);
    if (!err)
        err = dashboard_start(&dashboard, reader, &problem);
    if (!err && (arguments.once || !terminal_moves(stdout)))
        err = draw(arguments.path, &dashboard, reader, true, &problem);
    else if (!err)
        err = watch(arguments.path, &dashboard, reader, &problem);
    dashboard_release(&dashboard);
    store_reader_close(&reader);
    return err ? print_problem(argv[0], NULL, &problem) : STATUS_DONE;
}
