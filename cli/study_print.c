#include "cli/study_print.h"

#include "cli/table.h"
#include "common/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int study_format_find(const char *name)
{
    static const char *const names[] = {
#define FORMAT_ROW(id, name) name,
        STUDY_FORMAT_TABLE(FORMAT_ROW)
#undef FORMAT_ROW
    };
    for (int i = 0; i < STUDY_FORMATS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

/* ---- what the tables share ----------------------------------------------------------------------------- */

static const char note[] = "median validation accuracy in % over the seeds (lowest to highest)";

static bool has_grid(const struct study *study)
{
    for (int c = 0; c < study->cell_count; c++)
        if (study->cells[c].rate > 0)
            return true;
    return false;
}

/* "93.12 (92.80-93.30)", with `dash` between; with the learning rate, and how many diverged or are missing. malloc'd. */
static char *entry_text(const struct study_results *results, const struct study_entry *entry,
                        const char *dash)
{
    struct buf text = {0};
    if (entry->count == 0)
        return xstrdup(dash);
    buf_printf(&text, "%.2f", 100 * entry->median);
    if (entry->count > 1)
        buf_printf(&text, " (%.2f%s%.2f)", 100 * entry->low, dash, 100 * entry->high);
    if (has_grid(results->study))
        buf_printf(&text, " lr %g", entry->lr);
    if (entry->diverged > 0)
        buf_printf(&text, ", %d diverged", entry->diverged);
    if (entry->count < results->study->seeds)
        buf_printf(&text, ", %d of %lld seeds", entry->count, (long long)results->study->seeds);
    return (char *)text.data;
}

/* "0.031", "<0.001" */
static void p_text(double p, char ret_text[16])
{
    if (p < 0.0005)
        snprintf(ret_text, 16, "<0.001");
    else
        snprintf(ret_text, 16, "%.3f", p);
}

/* ---- text ---------------------------------------------------------------------------------------------- */

static void print_text_accuracies(const struct study_results *results, int data, FILE *out)
{
    const struct study *study = results->study;
    char alignment[STUDY_MAX_MODELS + 2] = "l";
    memset(alignment + 1, 'l', (size_t)study->model_count);
    struct table *table = table_new(alignment);
    table_row(table);
    table_cell(table, "%s", study->data[data]);
    for (int m = 0; m < study->model_count; m++)
        table_cell(table, "%s", study->models[m]);
    for (int f = 0; f < study->function_count; f++) {
        table_row(table);
        table_cell(table, "%s", study->functions[f].label);
        for (int m = 0; m < study->model_count; m++) {
            const struct study_entry *entry = study_entry_at(results, data, m, f);
            char *text = entry_text(results, entry, "-");
            table_cell(table, "%s%s", text, entry->best ? " *" : "");
            if (entry->best)
                table_emphasise(table);
            free(text);
        }
    }
    table_print(table, out);
    table_destroy(&table);
}

static void print_text_signs(const struct study_results *results, FILE *out)
{
    const struct study *study = results->study;
    struct table *table = table_new("lrrrrrrrr");
    static const char *const head[] = {"better", "equal", "worse", "p", "better", "equal", "worse", "p"};
    table_row(table);
    table_cell(table, "%s against", study->functions[study->against].label);
    for (size_t i = 0; i < sizeof head / sizeof *head; i++)
        table_cell(table, "%s", head[i]);
    for (int f = 0; f < study->function_count; f++) {
        if (f == study->against)
            continue;
        const struct study_sign *const signs[] = {&results->comparisons[f].networks,
                                                  &results->comparisons[f].seeds};
        table_row(table);
        table_cell(table, "%s", study->functions[f].label);
        for (int s = 0; s < 2; s++) {
            char p[16];
            p_text(signs[s]->p, p);
            table_cell(table, "%d", signs[s]->better);
            table_cell(table, "%d", signs[s]->equal);
            table_cell(table, "%d", signs[s]->worse);
            table_cell(table, "%s", p);
        }
    }
    table_print(table, out);
    table_destroy(&table);
}

static void print_text(const struct study_results *results, FILE *out)
{
    const struct study *study = results->study;
    for (int d = 0; d < study->data_count; d++) {
        print_text_accuracies(results, d, out);
        fputc('\n', out);
    }
    fprintf(out, "%s; *: the best.\n", note);
    if (has_grid(study))
        fprintf(out, "Each function has the learning rate (lr) that was best for it.\n");
    if (study->function_count < 2)
        return;
    fputc('\n', out);
    print_text_signs(results, out);
    fprintf(out,
            "\nHow often %s is better: by the medians of the %d networks (left), by all pairs of trainings "
            "on one seed "
            "(right).\np: one-sided paired sign test.\n",
            study->functions[study->against].label, study->data_count * study->model_count);
}

/* ---- CSV ----------------------------------------------------------------------------------------------- */

static void put_csv_text(FILE *out, const char *text)
{
    const bool quoted = strpbrk(text, ",\"\n") != NULL;
    if (!quoted) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++)
        fprintf(out, *text == '"' ? "\"\"" : "%c", *text);
    fputc('"', out);
}

/* Empty where it is not a number. */
static void put_csv_real(FILE *out, double value)
{
    char text[REAL_TEXT] = "";
    if (!isnan(value))
        real_text(value, text);
    fprintf(out, ",%s", text);
}

/* One line for each function in each network on each data set. */
static void print_csv(const struct study_results *results, FILE *out)
{
    const struct study *study = results->study;
    fputs("data,model,function,activation,lr,seeds,diverged,median,low,high,mean,sd,best\n", out);
    for (int d = 0; d < study->data_count; d++)
        for (int m = 0; m < study->model_count; m++)
            for (int f = 0; f < study->function_count; f++) {
                const struct study_entry *entry = study_entry_at(results, d, m, f);
                fprintf(out, "%s,%s,", study->data[d], study->models[m]);
                put_csv_text(out, study->functions[f].label);
                fputc(',', out);
                put_csv_text(out, study->functions[f].activation);
                put_csv_real(out, entry->lr);
                fprintf(out, ",%d,%d", entry->count, entry->diverged);
                put_csv_real(out, entry->median);
                put_csv_real(out, entry->low);
                put_csv_real(out, entry->high);
                put_csv_real(out, entry->mean);
                put_csv_real(out, entry->sd);
                fprintf(out, ",%d\n", entry->best);
            }
}

/* ---- Markdown and LaTeX -------------------------------------------------------------------------------- */

/* How a kind of document writes a table. */
struct markup {
    const char *row_start, *separator, *row_end;
    const char *bold_start, *bold_end;
    const char *dash;
    const char *escaped;                   /* characters that need a backslash */
    void (*begin)(FILE *out, int columns); /* before the head */
    void (*after_head)(FILE *out, int columns);
    void (*end)(FILE *out, const char *caption);
};

static void put_escaped(FILE *out, const struct markup *markup, const char *text)
{
    for (; *text; text++)
        if (*text == '^' && strchr(markup->escaped, '^'))
            fputs("\\^{}", out);
        else
            fprintf(out, strchr(markup->escaped, *text) ? "\\%c" : "%c", *text);
}

static void put_cell(FILE *out, const struct markup *markup, const char *text, bool bold)
{
    fputs(bold ? markup->bold_start : "", out);
    put_escaped(out, markup, text);
    fputs(bold ? markup->bold_end : "", out);
}

static void markdown_begin(FILE *out, int columns)
{
    (void)out, (void)columns;
}

static void markdown_after_head(FILE *out, int columns)
{
    fputc('|', out);
    for (int i = 0; i < columns; i++)
        fputs("---|", out);
    fputc('\n', out);
}

static void markdown_end(FILE *out, const char *caption)
{
    fprintf(out, "\n%s\n\n", caption);
}

static void latex_begin(FILE *out, int columns)
{
    fputs("\\begin{table}\n\\centering\n\\begin{tabular}{l", out);
    for (int i = 1; i < columns; i++)
        fputc('c', out);
    fputs("}\n\\hline\n", out);
}

static void latex_after_head(FILE *out, int columns)
{
    (void)columns;
    fputs("\\hline\n", out);
}

static void latex_end(FILE *out, const char *caption)
{
    fputs("\\hline\n\\end{tabular}\n\\caption{", out);
    for (; *caption; caption++)
        fprintf(out, *caption == '%' || *caption == '_' ? "\\%c" : "%c", *caption);
    fputs("}\n\\end{table}\n\n", out);
}

static const struct markup markdown = {
    "| ", " | ", " |\n", "**", "**", "–", "|*_\\", markdown_begin, markdown_after_head, markdown_end};
static const struct markup latex = {"",   " & ",      " \\\\\n",   "\\textbf{",      "}",
                                    "--", "&%$#_{}^", latex_begin, latex_after_head, latex_end};

static void print_accuracies(const struct study_results *results, const struct markup *markup, int data,
                             FILE *out)
{
    const struct study *study = results->study;
    markup->begin(out, study->model_count + 1);
    fputs(markup->row_start, out);
    put_escaped(out, markup, study->data[data]);
    for (int m = 0; m < study->model_count; m++) {
        fputs(markup->separator, out);
        put_escaped(out, markup, study->models[m]);
    }
    fputs(markup->row_end, out);
    markup->after_head(out, study->model_count + 1);
    for (int f = 0; f < study->function_count; f++) {
        fputs(markup->row_start, out);
        put_escaped(out, markup, study->functions[f].label);
        for (int m = 0; m < study->model_count; m++) {
            const struct study_entry *entry = study_entry_at(results, data, m, f);
            char *text = entry_text(results, entry, markup->dash);
            fputs(markup->separator, out);
            put_cell(out, markup, text, entry->best);
            free(text);
        }
        fputs(markup->row_end, out);
    }
    char *caption =
        xasprintf("%s: %s.%s", study->data[data], note,
                  has_grid(study) ? " Each function has the learning rate that was best for it." : "");
    markup->end(out, caption);
    free(caption);
}

static void print_signs(const struct study_results *results, const struct markup *markup, FILE *out)
{
    const struct study *study = results->study;
    static const char *const head[] = {"better", "equal", "worse", "p"};
    enum { COLUMNS = 1 + 2 * sizeof head / sizeof *head };
    markup->begin(out, COLUMNS);
    fputs(markup->row_start, out);
    put_escaped(out, markup, study->functions[study->against].label);
    fputs(" against", out);
    for (int i = 1; i < COLUMNS; i++)
        fprintf(out, "%s%s%s", markup->separator, head[(i - 1) % 4], i > 4 ? ", seeds" : "");
    fputs(markup->row_end, out);
    markup->after_head(out, COLUMNS);
    for (int f = 0; f < study->function_count; f++) {
        if (f == study->against)
            continue;
        const struct study_sign *const signs[] = {&results->comparisons[f].networks,
                                                  &results->comparisons[f].seeds};
        fputs(markup->row_start, out);
        put_escaped(out, markup, study->functions[f].label);
        for (int s = 0; s < 2; s++) {
            char p[16];
            p_text(signs[s]->p, p);
            fprintf(out, "%s%d%s%d%s%d%s", markup->separator, signs[s]->better, markup->separator,
                    signs[s]->equal, markup->separator, signs[s]->worse, markup->separator);
            fputs(p, out);
        }
        fputs(markup->row_end, out);
    }
    char *caption = xasprintf(
        "How often %s is better: by the medians of the %d networks, and by all pairs of trainings on one "
        "seed; p of the one-sided paired sign test.",
        study->functions[study->against].label, study->data_count * study->model_count);
    markup->end(out, caption);
    free(caption);
}

static void print_document(const struct study_results *results, const struct markup *markup, FILE *out)
{
    for (int d = 0; d < results->study->data_count; d++)
        print_accuracies(results, markup, d, out);
    if (results->study->function_count > 1)
        print_signs(results, markup, out);
}

/* ---- JSON ---------------------------------------------------------------------------------------------- */

static void put_sign(struct json *json, const char *key, const struct study_sign *sign)
{
    json_object(json, key);
    json_int(json, "better", sign->better);
    json_int(json, "equal", sign->equal);
    json_int(json, "worse", sign->worse);
    json_real(json, "p", sign->p);
    json_end(json);
}

static void put_entry(struct json *json, const struct study_results *results, int data, int model,
                      int function)
{
    const struct study *study = results->study;
    const struct study_entry *entry = study_entry_at(results, data, model, function);
    json_object(json, NULL);
    json_text(json, "data", study->data[data]);
    json_text(json, "model", study->models[model]);
    json_text(json, "function", study->functions[function].label);
    json_text(json, "activation", study->functions[function].activation);
    json_real(json, "lr", entry->lr);
    json_int(json, "seeds", entry->count);
    json_int(json, "diverged", entry->diverged);
    json_real(json, "median", entry->median);
    json_real(json, "low", entry->low);
    json_real(json, "high", entry->high);
    json_real(json, "mean", entry->mean);
    json_real(json, "sd", entry->sd);
    json_bool(json, "best", entry->best);
    json_array(json, "accuracies");
    for (int64_t i = 0; i < study->seeds; i++)
        json_real(json, NULL, entry->series->accuracy[i]);
    json_end(json);
    json_end(json);
}

static void print_json(const struct study_results *results, FILE *out)
{
    const struct study *study = results->study;
    struct json json = {0};
    json_object(&json, NULL);
    json_text(&json, "study", study->name);
    json_array(&json, "results");
    for (int d = 0; d < study->data_count; d++)
        for (int m = 0; m < study->model_count; m++)
            for (int f = 0; f < study->function_count; f++)
                put_entry(&json, results, d, m, f);
    json_end(&json);
    json_text(&json, "against", study->functions[study->against].label);
    json_array(&json, "comparisons");
    for (int f = 0; f < study->function_count; f++) {
        if (f == study->against)
            continue;
        json_object(&json, NULL);
        json_text(&json, "function", study->functions[f].label);
        put_sign(&json, "networks", &results->comparisons[f].networks);
        put_sign(&json, "seeds", &results->comparisons[f].seeds);
        json_end(&json);
    }
    json_end(&json);
    json_end(&json);
    fprintf(out, "%s\n", buf_text(&json.out));
    buf_release(&json.out);
}

void study_print(const struct study_results *results, enum study_format format, FILE *out)
{
    switch (format) {
    case STUDY_TEXT:
        print_text(results, out);
        return;
    case STUDY_CSV:
        print_csv(results, out);
        return;
    case STUDY_MARKDOWN:
        print_document(results, &markdown, out);
        return;
    case STUDY_LATEX:
        print_document(results, &latex, out);
        return;
    case STUDY_JSON:
        print_json(results, out);
        return;
    case STUDY_FORMATS:
        assert(!"a format");
    }
}
