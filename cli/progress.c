#include "cli/progress.h"

#include "cli/table.h"
#include "cli/terminal.h"
#include "common/err.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FIRST_MS = 1000, /* before that nothing is shown */
    TERMINAL_MS = 200,
    PIPE_MS = 10000,
    BAR_WIDTH = 24,
    COLUMNS_WIDE = 110, /* with fewer the text needs the room more than a bar does */
};

struct progress {
    FILE *out;
    bool terminal;
    bool drawn; /* the bar stands on the terminal's last line */
    int64_t start_ms;
    int64_t speed_ms;      /* since when the speed is judged */
    int64_t shown_ms;      /* when something was shown last; 0: never */
    double first_fraction; /* what was done before that, which took none of this time */
    bool first_known;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct progress *progress_new(FILE *out)
{
    struct progress *progress = xcalloc(1, sizeof *progress);
    progress->out = out;
    progress->terminal = terminal_moves(out);
    progress->start_ms = progress->speed_ms = now_ms();
    return progress;
}

/* "3 s", "2 min 05 s", "1 h 10 min" */
static void duration_text(double seconds, char ret_text[32])
{
    int64_t whole = (int64_t)ceil(seconds);
    if (whole < 60)
        snprintf(ret_text, 32, "%lld s", (long long)whole);
    else if (whole < 3600)
        snprintf(ret_text, 32, "%lld min %02lld s", (long long)whole / 60, (long long)whole % 60);
    else
        snprintf(ret_text, 32, "%lld h %02lld min", (long long)whole / 3600, (long long)whole / 60 % 60);
}

/* ", 2 min 05 s left": at the speed since progress_new or progress_restart; empty while there is nothing to judge by. */
static void left_text(const struct progress *progress, double fraction, int64_t now, char ret_text[48])
{
    double gained = fraction - progress->first_fraction;
    double elapsed_s = (double)(now - progress->speed_ms) / 1000;
    ret_text[0] = '\0';
    if (gained <= 0 || fraction >= 1 || elapsed_s * (1 - fraction) / gained > 1e8)
        return;
    char duration[32];
    duration_text(elapsed_s * (1 - fraction) / gained, duration);
    snprintf(ret_text, 48, ", %s left", duration);
}

/* Prints as many characters of the UTF-8 text as `width` columns hold. */
static void put_cut(FILE *out, const char *text, int width)
{
    const bool fits = text_width(text) <= width;
    fwrite(text, 1, terminal_fit(text, fits ? width : width - 1), out);
    fputs(fits ? "" : "…", out);
}

static void draw_bar(const struct progress *progress, double fraction, const char *left, const char *detail)
{
    int columns, rows;
    terminal_size(progress->out, &columns, &rows);
    char bar[BAR_WIDTH + 1] = "";
    for (int i = 0; i < BAR_WIDTH; i++)
        bar[i] = i + 1 <= fraction * BAR_WIDTH ? '#' : '-';
    char *line = isnan(fraction) ? xasprintf("%s", detail)
                 : columns < COLUMNS_WIDE
                     ? xasprintf("%3d %%%s  %s", (int)(100 * fraction), left, detail)
                     : xasprintf("[%s] %3d %%%s  %s", bar, (int)(100 * fraction), left, detail);
    fputs("\r", progress->out);
    put_cut(progress->out, line, columns - 1);
    fputs("\033[K", progress->out); /* clears the rest of the line */
    free(line);
}

void progress_show(struct progress *progress, double fraction, const char *detail)
{
    int64_t now = now_ms();
    if (!isnan(fraction)) {
        fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
        if (!progress->first_known)
            progress->first_fraction = fraction;
        progress->first_known = true;
    }
    int64_t pause_ms = progress->terminal ? TERMINAL_MS : PIPE_MS;
    if (now - progress->start_ms < FIRST_MS || (progress->shown_ms && now - progress->shown_ms < pause_ms))
        return;
    progress->shown_ms = now;
    char left[48] = "";
    if (!isnan(fraction))
        left_text(progress, fraction, now, left);
    if (progress->terminal) {
        draw_bar(progress, fraction, left, detail);
        progress->drawn = true;
    } else if (isnan(fraction)) {
        fprintf(progress->out, "%s\n", detail);
    } else {
        fprintf(progress->out, "%3d %%%s  %s\n", (int)(100 * fraction), left, detail);
    }
    fflush(progress->out);
}

void progress_restart(struct progress *progress)
{
    progress->speed_ms = now_ms();
    progress->first_known = false;
}

void progress_hide(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\033[K", progress->out);
    progress->drawn = false;
    fflush(progress->out);
}

void progress_destroy(struct progress **progress)
{
    if (!*progress)
        return;
    progress_hide(*progress);
    free(*progress);
    *progress = NULL;
}
