"""Detection that explains itself: pure functions from samples to a judgement of each of them.

| method | asks whether | learns from |
|---|---|---|
| `threshold` | the value is outside of limits | nothing |
| `seasonal` | it is far from the usual at this time of day (or period) | the training part |
| `surprise` | it, its jump or seasonal residual is rarer than ever | what came before |
| `change` | the level has changed, and when | what came before |
| `discord` | the shape of the last stretch was never seen before | what came before |
| `modal` | the modal frequencies moved together as never before | the training part |
| `motion` | a GNSS coordinate made a step, or moves faster than allowed | the series itself |

`judge` calls one by its name. A score of 1 or more is an anomaly, whatever the method.
"""
