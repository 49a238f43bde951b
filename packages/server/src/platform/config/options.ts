/**
 * Everything that can be set at the start: one table for flags, variables, the file's keys and the help. Names of MLflow's own server are
 * here too, with what becomes of them. Data only, so that `--help` loads nothing else.
 */

export interface Option {
  /** The flag without dashes; also the key in countersign.yaml. */
  readonly name: string;
  /** One letter, as MLflow has it. */
  readonly short?: string;
  /** What the help calls the value; without it the option is a switch. */
  readonly argument?: string;
  /** There is `--no-<name>` too. */
  readonly negatable?: true;
  /** Read in this order. */
  readonly variables: readonly string[];
  readonly default?: string;
  readonly about: string;
  /** MLflow's option that has no meaning here: taken, and named in the log with this reason. */
  readonly ignored?: string;
  /** MLflow's option that can't be honoured: the start is refused with this sentence. A switch that is off is no request. */
  readonly refused?: string;
}

const ONE_PROCESS = 'one process serves all requests';
const ONE_STORE = 'Workspaces are kept in the same database as everything else: leave it out.';

const OPTIONS = [
  {
    name: 'host',
    short: 'h',
    argument: 'HOST',
    variables: ['COUNTERSIGN_HOST', 'MLFLOW_HOST'],
    default: '127.0.0.1',
    about: 'Address to listen on; as long as there are no accounts, a loopback address.',
  },
  {
    name: 'port',
    short: 'p',
    argument: 'PORT',
    variables: ['COUNTERSIGN_PORT', 'MLFLOW_PORT'],
    default: '5000',
    about: 'Port to listen on.',
  },
  {
    name: 'tls-certificate',
    argument: 'FILE',
    variables: ['COUNTERSIGN_TLS_CERTIFICATE'],
    about: 'PEM file of the certificate and its chain: with it and --tls-key the server speaks https only. Replaced without a restart.',
  },
  {
    name: 'tls-key',
    argument: 'FILE',
    variables: ['COUNTERSIGN_TLS_KEY'],
    about: 'PEM file of the key that belongs to --tls-certificate.',
  },
  {
    name: 'tls-key-passphrase-file',
    argument: 'FILE',
    variables: ['COUNTERSIGN_TLS_KEY_PASSPHRASE_FILE'],
    about: 'File whose first line is the passphrase of --tls-key, where that is encrypted.',
  },
  {
    name: 'public-url',
    argument: 'URL',
    variables: ['COUNTERSIGN_PUBLIC_URL'],
    about: 'The address that people and CI jobs use, where it is another than the one listened on: https://registry.example.',
  },
  {
    name: 'data-dir',
    argument: 'DIR',
    variables: ['COUNTERSIGN_DATA_DIR'],
    default: './countersign-data',
    about: 'Folder of the database and the blobs.',
  },
  {
    name: 'database-url',
    argument: 'URL',
    variables: ['COUNTERSIGN_DATABASE_URL'],
    about: 'postgresql://… or sqlite:///PATH. Default: SQLite in the data folder.',
  },
  {
    name: 'blob-store',
    argument: 'DIR',
    variables: ['COUNTERSIGN_BLOB_STORE'],
    about: 'Folder of the blobs. Default: blobs/ in the data folder.',
  },
  {
    name: 'master-key-file',
    argument: 'FILE',
    variables: ['COUNTERSIGN_MASTER_KEY_FILE'],
    about:
      'Key under which secrets and encrypted artifacts are stored, the same for all replicas. Default: master.key in the data folder, made at need. ' +
      'Or give the key itself, 32 bytes in base64, in the variable COUNTERSIGN_MASTER_KEY.',
  },
  {
    name: 'master-key-command',
    argument: 'CMD',
    variables: ['COUNTERSIGN_MASTER_KEY_COMMAND'],
    about:
      'Command of a key service: CMD wrap and CMD unwrap read base64 on stdin and answer base64. The file then holds wrapped keys only.',
  },
  {
    name: 'checkpoint-key-file',
    argument: 'FILE',
    variables: ['COUNTERSIGN_CHECKPOINT_KEY_FILE'],
    about:
      'Ed25519 key (PEM) that signs checkpoints of the record, the same for all replicas; a new one goes before the old one. Default: one is made, and kept ' +
      'encrypted in the database. Or give the PEM itself in the variable COUNTERSIGN_CHECKPOINT_KEY.',
  },
  {
    name: 'config',
    argument: 'FILE',
    variables: ['COUNTERSIGN_CONFIG'],
    about: 'File of settings. Default: the nearest countersign.yaml from here upward.',
  },
  {
    name: 'log-level',
    argument: 'LEVEL',
    variables: ['COUNTERSIGN_LOG_LEVEL'],
    default: 'info',
    about: 'debug (a line per request), info, warning or error.',
  },
  {
    name: 'search-timeout-ms',
    argument: 'MS',
    variables: ['COUNTERSIGN_SEARCH_TIMEOUT_MS'],
    default: '60000',
    about: 'After this a search is stopped, with a sentence on what to narrow.',
  },
  {
    name: 'backend-store-uri',
    argument: 'URI',
    variables: ['MLFLOW_BACKEND_STORE_URI'],
    about: "MLflow's name for --database-url.",
  },
  {
    name: 'default-artifact-root',
    argument: 'URI',
    variables: ['COUNTERSIGN_DEFAULT_ARTIFACT_ROOT', 'MLFLOW_DEFAULT_ARTIFACT_ROOT'],
    about: 'Below which new experiments keep their files. Default: mlflow-artifacts:/, this server. A local folder may be read by it.',
  },
  {
    name: 'artifacts-destination',
    argument: 'DIR',
    variables: ['MLFLOW_ARTIFACTS_DESTINATION'],
    about: "MLflow's name for --blob-store.",
  },
  {
    name: 'serve-artifacts',
    negatable: true,
    variables: ['COUNTERSIGN_SERVE_ARTIFACTS', 'MLFLOW_SERVE_ARTIFACTS'],
    default: 'true',
    about: 'Take and give files of runs and models.',
  },
  {
    name: 'artifacts-only',
    variables: ['COUNTERSIGN_ARTIFACTS_ONLY', 'MLFLOW_ARTIFACTS_ONLY'],
    default: 'false',
    about: 'Serve files and nothing else.',
  },
  {
    name: 'allowed-hosts',
    argument: 'LIST',
    variables: ['COUNTERSIGN_ALLOWED_HOSTS', 'MLFLOW_SERVER_ALLOWED_HOSTS'],
    about:
      'Host headers that are answered, by comma, * for any characters. Default: on loopback localhost, private addresses and the host of --public-url, else any.',
  },
  {
    name: 'cors-allowed-origins',
    argument: 'LIST',
    variables: ['COUNTERSIGN_CORS_ALLOWED_ORIGINS', 'MLFLOW_SERVER_CORS_ALLOWED_ORIGINS'],
    about: 'Origins of web pages that may call the API, by comma. Default: those of localhost.',
  },
  {
    name: 'x-frame-options',
    argument: 'VALUE',
    variables: ['COUNTERSIGN_X_FRAME_OPTIONS', 'MLFLOW_SERVER_X_FRAME_OPTIONS'],
    default: 'SAMEORIGIN',
    about: 'SAMEORIGIN, DENY or NONE.',
  },
  {
    name: 'disable-security-middleware',
    variables: ['COUNTERSIGN_DISABLE_SECURITY_MIDDLEWARE', 'MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE'],
    default: 'false',
    about: 'No check of Host and Origin. For tests only.',
  },
  {
    name: 'static-prefix',
    argument: '/PREFIX',
    variables: ['COUNTERSIGN_STATIC_PREFIX', 'MLFLOW_STATIC_PREFIX'],
    about: 'Put before the path of every route.',
  },
  {
    name: 'webhook-allowed-schemes',
    argument: 'LIST',
    variables: ['COUNTERSIGN_WEBHOOK_ALLOWED_SCHEMES', 'MLFLOW_WEBHOOK_ALLOWED_SCHEMES'],
    default: 'https',
    about: 'Schemes that URLs of webhooks may have, by comma: https, http.',
  },
  {
    name: 'webhook-allow-private-ips',
    variables: ['COUNTERSIGN_WEBHOOK_ALLOW_PRIVATE_IPS', 'MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS'],
    default: 'false',
    about: 'Webhooks may call loopback and private addresses.',
  },
  {
    name: 'webhook-retries-max',
    argument: 'N',
    variables: ['COUNTERSIGN_WEBHOOK_RETRIES_MAX', 'MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES'],
    default: '3',
    about: 'How often a call is tried again, at growing intervals, before it is given up.',
  },
  {
    name: 'webhook-timeout',
    argument: 'S',
    variables: ['COUNTERSIGN_WEBHOOK_TIMEOUT', 'MLFLOW_WEBHOOK_REQUEST_TIMEOUT'],
    default: '30',
    about: 'Seconds that a receiver of a webhook has to answer.',
  },
  {
    name: 'dev',
    variables: [],
    default: 'false',
    about: 'The same as --log-level debug.',
  },
  {
    name: 'expose-prometheus',
    argument: 'DIR',
    variables: ['MLFLOW_EXPOSE_PROMETHEUS'],
    about: "MLflow's switch for /metrics.",
    ignored: '/metrics is always served, and needs no folder',
  },
  {
    name: 'registry-store-uri',
    argument: 'URI',
    variables: ['MLFLOW_REGISTRY_STORE_URI'],
    about: 'The same as the database; another one is refused.',
  },
  {
    name: 'read-replica-backend-store-uri',
    argument: 'URI',
    variables: ['MLFLOW_READ_REPLICA_BACKEND_STORE_URI'],
    about: "MLflow's replica for reads.",
    ignored: 'reads come from the one database, so that a client sees what it wrote',
  },
  {
    name: 'workers',
    short: 'w',
    argument: 'N',
    variables: ['MLFLOW_WORKERS'],
    about: "MLflow's number of processes.",
    ignored: ONE_PROCESS,
  },
  {
    name: 'gunicorn-opts',
    argument: 'OPTS',
    variables: ['MLFLOW_GUNICORN_OPTS'],
    about: "Options of MLflow's HTTP server.",
    ignored: 'gunicorn is not used',
  },
  { name: 'waitress-opts', argument: 'OPTS', variables: [], about: "Options of MLflow's HTTP server.", ignored: 'waitress is not used' },
  {
    name: 'uvicorn-opts',
    argument: 'OPTS',
    variables: ['MLFLOW_UVICORN_OPTS'],
    about: "Options of MLflow's HTTP server.",
    ignored: 'uvicorn is not used',
  },
  {
    name: 'trace-archival-config',
    argument: 'FILE',
    variables: ['MLFLOW_TRACE_ARCHIVAL_CONFIG'],
    about: "MLflow's archive of traces.",
    ignored: 'traces are not kept here',
  },
  {
    name: 'secrets-cache-ttl',
    argument: 'S',
    variables: [],
    about: "MLflow's cache of gateway secrets.",
    ignored: 'there is no gateway here',
  },
  {
    name: 'secrets-cache-max-size',
    argument: 'N',
    variables: [],
    about: "MLflow's cache of gateway secrets.",
    ignored: 'there is no gateway here',
  },
  {
    name: 'app-name',
    argument: 'NAME',
    variables: [],
    about: 'basic-auth: start only with accounts, on a loopback address too.',
  },
  { name: 'enable-workspaces', variables: ['MLFLOW_ENABLE_WORKSPACES'], about: 'Workspaces, which are there in any case.' },
  {
    name: 'disable-workspaces',
    variables: ['COUNTERSIGN_DISABLE_WORKSPACES'],
    about: 'Only the workspace "default" is there; requests that name another one are refused.',
  },
  {
    name: 'workspace-store-uri',
    argument: 'URI',
    variables: ['MLFLOW_WORKSPACE_STORE_URI'],
    about: "MLflow's workspaces.",
    refused: ONE_STORE,
  },
] as const satisfies readonly Option[];

export type OptionName = (typeof OPTIONS)[number]['name'];

/** The table with one type for each row. */
export const ALL_OPTIONS: readonly (Option & { readonly name: OptionName })[] = OPTIONS;
