"""Every metric that a process shows at /metrics; the names are the words of the domain.

With several server processes prometheus_client adds them up over files (PROMETHEUS_MULTIPROC_DIR, set by `holdfast
serve`).
"""

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("holdfast_requests_total", "Answered requests", ["method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "holdfast_request_seconds",
    "Time from the request's head to the last byte of its answer",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REFUSALS = Counter("holdfast_refusals_total", "Requests answered with a problem", ["problem"])
REPLAYS = Counter("holdfast_replays_total", "Answers that were stored or running already", ["source"])
BATCH_COMMANDS = Histogram(
    "holdfast_batch_commands", "Commands in one committed transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
BATCH_SECONDS = Histogram(
    "holdfast_batch_seconds",
    "Time of one batch, retries included",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
BATCH_RETRIES = Counter("holdfast_batch_retries_total", "Batches decided anew", ["reason"])
BATCH_SPLITS = Counter("holdfast_batch_splits_total", "Batches halved to find the command that fails")
COMMANDS_POISONED = Counter("holdfast_commands_poisoned_total", "Commands that failed alone and were refused with 500")
CONFLICTS = Counter("holdfast_conflicts_total", "Rows that another transaction had changed first", ["table"])
COMMITS_AMBIGUOUS = Counter(
    "holdfast_commits_ambiguous_total", "Connections lost during COMMIT, by what was found", ["outcome"]
)
TRANSACTIONS_RETRIED = Counter("holdfast_transactions_retried_total", "Plain transactions run anew", ["reason"])
QUEUE_DEPTH = Gauge("holdfast_queue_depth", "Commands that wait in a lane or run", multiprocess_mode="livesum")
HOT_ROWS = Gauge("holdfast_hot_rows", "Rows that are hot now", multiprocess_mode="livesum")
HOT_ROW_LOCKS = Counter("holdfast_hot_row_locks_total", "Locks taken for hot rows", ["kind", "result"])
SWEEPS = Counter("holdfast_sweeps_total", "Rounds of the worker", ["loop"])
SWEPT = Counter("holdfast_swept_total", "Reservations that the worker ended or promoted", ["action"])
TRANSITIONS = Counter("holdfast_transitions_total", "Committed changes of state", ["action"])
