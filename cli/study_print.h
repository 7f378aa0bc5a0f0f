/* study_print: the tables of a study, for people, for a paper, and for programs. */
#ifndef CLI_STUDY_PRINT_H
#define CLI_STUDY_PRINT_H

#include "cli/study_results.h"

#include <stdio.h>

#define STUDY_FORMAT_TABLE(ROW)                                                                              \
    ROW(TEXT, "text") ROW(CSV, "csv") ROW(MARKDOWN, "markdown") ROW(LATEX, "latex") ROW(JSON, "json")

enum study_format {
#define FORMAT_ROW(id, name) STUDY_##id,
    STUDY_FORMAT_TABLE(FORMAT_ROW)
#undef FORMAT_ROW
        STUDY_FORMATS,
};

/* -1 where there is none of that name. */
int study_format_find(const char *name);

/* Accuracies are validation accuracies, in per cent but in CSV and JSON (0 … 1). */
void study_print(const struct study_results *results, enum study_format format, FILE *out);

#endif
