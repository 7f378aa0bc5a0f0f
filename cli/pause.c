/* actsearch pause: see cli/order.h. */
#include "cli/commands.h"
#include "cli/order.h"

int cli_pause(int argc, char **argv)
{
    return order_command(
        argc, argv, CONTROL_PAUSE,
        "Pauses the search of DB: no new trainings are given out. Those that run go on to their "
        "end, and the workers wait.\v"
        "It stays paused until actsearch resume, also when the coordinator is stopped, killed or "
        "started again in between.");
}
