/* actsearch stop: see cli/order.h. */
#include "cli/commands.h"
#include "cli/order.h"

int cli_stop(int argc, char **argv)
{
    return order_command(
        argc, argv, CONTROL_STOP,
        "Stops the search of DB in order, whether it was started with actsearch run or with "
        "actsearchd: workers save and hand back what they train, and leave; then the coordinator "
        "ends, and this command with it.\v"
        "The command that began the search goes on with it. Workers of other machines end too "
        "(exit status 0), and are to be started again.");
}
