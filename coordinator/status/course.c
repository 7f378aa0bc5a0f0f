#include "coordinator/status/course.h"

#include <math.h>

void course_start(struct course *course, int64_t proposals)
{
    *course = (struct course){.proposals = proposals > 0 ? proposals : 1};
    course->width = (course->proposals + COURSE_SLICES - 1) / COURSE_SLICES;
}

static void add_rise(struct course *course, const struct score_row *row)
{
    const bool full = course->rises == COURSE_RISES;
    if (course->rises > 0 && row->accuracy_mean <= course->rise[course->rises - 1].accuracy)
        return;
    if (full) /* the last rise is always right */
        course->rises--;
    course->rise[course->rises].proposal = row->proposal;
    course->rise[course->rises].accuracy = row->accuracy_mean;
    course->rises++;
}

void course_add(struct course *course, const struct score_row *row)
{
    if (!isfinite(row->accuracy_mean) || row->proposal < 0 || row->steps < course->steps)
        return;
    if (row->steps > course->steps) {
        course_start(course, course->proposals);
        course->steps = row->steps;
    }
    const int64_t at = row->proposal / course->width;
    const size_t slice = at < COURSE_SLICES ? (size_t)at : COURSE_SLICES - 1;
    if (course->slice[slice].count == 0 || row->accuracy_mean > course->slice[slice].best) {
        course->slice[slice].best = row->accuracy_mean;
        course->slice[slice].proposal = row->proposal;
    }
    course->slice[slice].count++;
    course->slice[slice].sum += row->accuracy_mean;
    add_rise(course, row);
}

/* To a thousandth of a per cent. */
static double shortened(double accuracy)
{
    return round(accuracy * 1e5) / 1e5;
}

static void put_point(struct json *json, int64_t proposal, double accuracy)
{
    json_array(json, NULL);
    json_int(json, NULL, proposal + 1);
    json_real(json, NULL, shortened(accuracy));
}

void course_put(const struct course *course, const char *key, struct json *json)
{
    json_object(json, key);
    json_int(json, "proposals", course->proposals);
    json_int(json, "steps", course->steps);
    json_array(json, "slices");
    for (int i = 0; i < COURSE_SLICES; i++) {
        if (course->slice[i].count == 0)
            continue;
        put_point(json, course->slice[i].proposal, course->slice[i].best);
        json_real(json, NULL, shortened(course->slice[i].sum / (double)course->slice[i].count));
        json_int(json, NULL, course->slice[i].count);
        json_end(json);
    }
    json_end(json);
    json_array(json, "best");
    for (int i = 0; i < course->rises; i++) {
        put_point(json, course->rise[i].proposal, course->rise[i].accuracy);
        json_end(json);
    }
    json_end(json);
    json_end(json);
}
