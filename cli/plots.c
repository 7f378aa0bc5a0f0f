#include "cli/plots.h"

#include "cli/plot_parts.h"

const struct plot plots[] = {
#define PLOT_ROW(name, of_function, meaning) {#name, meaning, of_function, plot_script_##name},
    PLOT_TABLE(PLOT_ROW)
#undef PLOT_ROW
};
const int plot_count = (int)(sizeof plots / sizeof *plots);
