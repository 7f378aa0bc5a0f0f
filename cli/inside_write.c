/* What a look inside a network has found, as a JSON file. */
#include "cli/training.h"
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bins from the first to the last that is not empty. */
static void put_histogram(struct json *json, const char *key, const struct histogram *histogram)
{
    int first = 0, end = HISTOGRAM_BINS;
    while (first < end && histogram->bins[first] == 0)
        first++;
    while (first < end && histogram->bins[end - 1] == 0)
        end--;
    json_object(json, key);
    json_int(json, "below", histogram->below);
    json_int(json, "above", histogram->above);
    json_int(json, "not_finite", histogram->not_finite);
    json_real(json, "from", histogram_edge(first));
    json_array(json, "counts");
    for (int i = first; i < end; i++)
        json_int(json, NULL, histogram->bins[i]);
    json_end(json);
    json_end(json);
}

/* For each b of the function, its value in each channel. */
static void put_betas(struct json *json, const char *key, const struct inside *inside,
                      const struct inside_layer *layer, enum inside_when when)
{
    json_array(json, key);
    for (int k = 0; k < inside->betas; k++) {
        json_array(json, NULL);
        for (int c = 0; c < layer->channels; c++)
            json_real(json, NULL, (double)layer->betas[when][c * inside->betas + k]);
        json_end(json);
    }
    json_end(json);
}

static void put_layer(struct json *json, const struct inside *inside, const struct inside_layer *layer,
                      bool trained)
{
    json_object(json, NULL);
    json_int(json, "layer", layer->layer);
    json_int(json, "channels", layer->channels);
    json_int(json, "height", layer->height);
    json_int(json, "width", layer->width);
    put_histogram(json, "preactivations_before", &layer->preactivations[INSIDE_BEFORE]);
    put_betas(json, "betas_before", inside, layer, INSIDE_BEFORE);
    if (trained) {
        put_histogram(json, "preactivations_after", &layer->preactivations[INSIDE_AFTER]);
        put_betas(json, "betas_after", inside, layer, INSIDE_AFTER);
    }
    json_end(json);
}

int inside_write(const char *path, const struct train_job *job, const struct train_result *result,
                 struct problem *problem)
{
    struct json json = {0};
    char *activation = expr_print(job->activation);
    json_object(&json, NULL);
    json_text(&json, "activation", activation);
    json_text(&json, "model", job->child->model);
    json_text(&json, "data", job->child->data);
    json_int(&json, "steps", job->child->steps);
    json_int(&json, "seed", (int64_t)job->seed);
    json_bool(&json, "diverged", result->diverged);
    json_int(&json, "images", job->inside->images);
    json_real(&json, "bin_width", 1.0 / HISTOGRAM_BINS_FOR_A_UNIT);
    json_array(&json, "layers");
    for (int i = 0; i < job->inside->layer_count; i++)
        put_layer(&json, job->inside, &job->inside->layers[i], !result->diverged);
    json_end(&json);
    json_end(&json);
    FILE *file = fopen(path, "we");
    bool good = file && fprintf(file, "%s\n", buf_text(&json.out)) > 0;
    good = file && fclose(file) == 0 && good;
    const int err = good ? 0 : problem_set(problem, ERR_IO, "cannot write %s: %s", path, strerror(errno));
    buf_release(&json.out);
    free(activation);
    return err;
}
