"""What operators can set, as it stands in section `[triptych]`: `settings` reads it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Option:
    """One setting: its default as text, as it would stand in airflow.cfg."""

    key: str
    default: str
    help: str


OPTIONS = (
    Option("workspace", "", "URI of the staging area every worker can reach, e.g. `s3://bucket/triptych`."),
    Option("workspace_conn_id", "", "Airflow connection of the workspace; empty for the environment's own."),
    Option("include", "", "Include folders, separated by `:`; default: `include` beside `plugins`, or here."),
    Option("scratch", "", "Local folder (no NFS, CIFS or FUSE) for attempts' temporary files; default: the system's."),
    Option(
        "cache",
        "",
        "Local folder of the worker's own, mode 0700: `shared/` is SHARED_CACHE_DIR, `apps/<name>/` USER_CACHE_DIR, "
        "`inputs/` has side inputs; "
        "default: beside `scratch`.",
    ),
    Option("input_cache_gib", "50", "Side inputs are kept in `cache`, up to so many GiB beside those in use."),
    Option("input_cache_days", "30", "Days after its last use for which a side input is kept."),
    Option("allowed_roots", "", "Local folders that `file://` may read and write, separated by `:`."),
    Option(
        "shared_folders",
        "auto",
        "Whether all workers see the same files below `allowed_roots` and in a workspace on `file://` (NFS and its "
        "like): `yes`, `no` (then `file://` is refused), or `auto`: `yes` with the LocalExecutor alone. With another, "
        "jobs write to such a folder once two machines have been seen there.",
    ),
    Option("runner", "docker", "`docker`, or `process` (no isolation; for trying things out only)."),
    Option(
        "docker_url",
        "",
        "The engine's URL: `unix://`, `tcp://` or `ssh://`; default: DOCKER_HOST, else the local socket.",
    ),
    Option(
        "docker_url_conn_id",
        "",
        "Airflow connection with the certificates of an engine at `tcp://`, which is reached by TLS then, or with "
        "login and keys of one at `ssh://`.",
    ),
    Option("docker_files", "auto", "`bind`, `archive`, or `auto`: find out whether the engine shares our files."),
    Option("network", "none", "Network of app containers: `none`, `bridge` or a named one."),
    Option(
        "allowed_connections",
        "",
        "Airflow connections, separated by commas, that any caller may name in sources, inputs and destinations, "
        "beside the template's; `@environment`: the worker's own credentials, for stores that are named without one.",
    ),
    Option(
        "allowed_addresses",
        "",
        "Networks (`10.1.0.0/16`), addresses and hosts, separated by commas, that `http://` and `https://` sources may "
        "reach beside public addresses.",
    ),
    Option(
        "http_spool_gib",
        "50",
        "Most that a worker keeps in `scratch` of sources whose web server knows no ranges, or not their size, GiB.",
    ),
    Option("root_images", "", "Repositories of images, separated by commas, whose containers may run as root."),
    Option(
        "allowed_networks",
        "",
        "Networks, separated by commas, that manifests may name beside `none` and that of `network`; on the command "
        "line `bridge`, too.",
    ),
    Option("pids_limit", "512", "Most processes in one container."),
    Option("pool", "default_pool", "Airflow pool of the app tasks; a task takes one slot per core."),
    Option(
        "classes",
        "",
        "Classes of machines, JSON by name: what a machine of each has (cores, memory_gib, gpus, gpu_name), and the "
        "Airflow queue and pool of the tasks that run there. A block goes to the smallest that has what its "
        "`device_requirements` ask for; "
        'e.g. `{"large": {"cores": 64, "memory_gib": 512, "queue": "large"}}`. Empty: nothing is placed.',
    ),
    Option("retries", "2", "Tries after the first for failures that a retry can help."),
    Option("retry_delay", "30", "Seconds before a task is tried again."),
    Option("part_mib", "8", "Size of one part of a transfer, MiB."),
    Option(
        "transfer_memory_mib",
        "64",
        "What all transfers of a process keep of large objects in memory, MiB: half of it for parts that are read "
        "ahead, half for those that are sent. Each object that is being written holds one part more.",
    ),
    Option("engine_memory_mib", "512", "What a partitioner or an assembler may keep in memory at once, MiB."),
    Option(
        "max_expansion_ratio",
        "250",
        "Most bytes that engines unpack of one byte of gzip or zip, and four times as many of bzip2, xz or zstd, "
        "where a source comes to more than 64 MiB. gzip packs reads of DNA 4:1, logs 10:1, heartbeats 27:1 (xz 680:1), "
        "one letter over and over 1000:1.",
    ),
    Option("max_expanded_gib", "1024", "Most that engines unpack in one stage, GiB: twice a sequencer's whole run."),
    Option(
        "max_line_mib",
        "64",
        "Longest line or record that engines take, MiB; of less memory an eighth. The longest read of DNA has 4.",
    ),
    Option(
        "scratch_reserve_mib",
        "256",
        "What must stay free on the file system of `scratch`, MiB: an input, a result or what an engine unpacks that "
        "would leave less is refused.",
    ),
    Option("max_result_files", "10000", "Most files one chunk may write."),
    Option("max_result_gib", "10", "Most bytes one chunk may write, GiB."),
    Option(
        "result_cache_gib",
        "100",
        "Most bytes of results of `cacheable` apps that the workspace keeps for later jobs, GiB; the oldest go first. "
        "0: none are kept or used.",
    ),
    Option("result_cache_days", "30", "How long such a result is kept, days. 0: none are kept or used."),
    Option(
        "whisper_model",
        "",
        "URI of the model that `audio_language` hears with, as `URI#sha256=DIGITS`, fetched once into `cache` by the "
        "workspace's connection: a .tar, .tar.gz or .zip, or a folder that ends in `/`, whose digits are what "
        "`cd FOLDER && LC_ALL=C sha256sum * | sha256sum` says; default: the model of `triptych[languages]`.",
    ),
    Option(
        "temporary_seconds",
        "172800",
        "Seconds that temporary storage is kept at least: outputs of the descriptor `bucket`, to whose files links are "
        "valid for so long. 48 hours; Amazon and Google sign links for a week at most.",
    ),
    Option("price_core_hour", "", "What reports count for one core for an hour, such as `0.04`; empty: no price."),
    Option("price_gib_hour", "", "The same for one GiB of memory for an hour."),
    Option("prefill_samples", "no", "`yes`: forms without a source begin with the app's sample, as `make up` has it."),
    Option(
        "max_tasks",
        "1000",
        "Most mapped tasks that `chunksPerTask: auto` makes; Airflow maps up to `core.max_map_length`.",
    ),
    Option("max_chunks", "1000000", "Most chunks of one job; a template's `max_chunks` may say fewer."),
    Option(
        "maintenance_schedule",
        "",
        "When the DAG `triptych_maintenance` removes what is beyond its age: cron, or a preset such as `@daily`; "
        "empty: there is no such DAG.",
    ),
    Option(
        "keep_success_days",
        "7",
        "Days after its last change for which the workspace of a run with an output is kept, unless its template says "
        "otherwise.",
    ),
    Option("keep_failure_days", "30", "The same of a run without one: for so long it can be repaired."),
    Option(
        "keep_outputs_days",
        "",
        "Days for which outputs of jobs without a destination are kept, below `outputs/` of the workspace; "
        "empty: for ever.",
    ),
    Option(
        "keep_uploads_days",
        "7",
        "Days after which an upload into the workspace that nobody completed is ended; longer than any job runs.",
    ),
    Option(
        "keep_published_days",
        "90",
        "Days for which the registry keeps a content that no tag means and that is not active; for so long "
        "`activate --digest` goes back to it.",
    ),
    Option(
        "api_origins",
        "",
        "Web sites, separated by commas, whose pages may call the Jobs API from a browser: `https://app.example.com`.",
    ),
    Option("api_upload_gib", "50", "Most of one file that is uploaded through the Jobs API itself, GiB."),
    Option(
        "registry",
        "",
        "URI below which apps, engines and templates lie that `push` has published, e.g. `s3://bucket/registry`, apart "
        "from the workspace; empty: nothing is published. No job reads or writes there.",
    ),
    Option("registry_conn_id", "", "Airflow connection of the registry's store; default: that store's own."),
    Option(
        "pushed_engines",
        "",
        "Published engines of the platform `python`, separated by commas, that may run inside workers: `by-page`, or "
        "`by-page@1.0` for that version alone.",
    ),
)
