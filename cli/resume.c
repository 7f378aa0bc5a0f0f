/* actsearch resume: see cli/order.h. */
#include "cli/commands.h"
#include "cli/order.h"

int cli_resume(int argc, char **argv)
{
    return order_command(
        argc, argv, CONTROL_RESUME,
        "Lets a search that was paused go on.\v"
        "The pause is kept in the database: where no coordinator runs on it, start the search "
        "first, with the command that began it.");
}
