"""All settings, from environment variables only. Works with none set: SQLite, one process, a folder `data/`.

`.env.example` lists every variable with its default; a test keeps the two in step.
"""

import sys
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config.env import (
    MAX_PORT,
    env_bool,
    env_choice,
    env_database,
    env_int,
    env_list,
    env_networks,
    env_origin,
    env_path,
    env_secret,
    env_secrets,
    env_server,
    env_text,
    env_time_zone,
)

django_stubs_ext.monkeypatch()  # lets classes of Django be written with their type parameters

BASE_DIR = Path(__file__).resolve().parent.parent
TESTING = "pytest" in sys.modules

# --- where things are kept ---------------------------------------------------------------------------------------

DATA_DIR = env_path("HAKEM_DATA_DIR", BASE_DIR / "data")
"""Database, converted models and keys. One folder to back up."""
MODELS_DIR = DATA_DIR / "models"
KEYS_DIR = DATA_DIR / "keys"
SERVER_LOCK_FILE = DATA_DIR / "lock"
"""Held by the one process of embedded mode."""
_rows = env_text("BENCHMARK_DATA_DIR")
BENCHMARK_DATA_DIR = Path(_rows).expanduser().resolve() if _rows else None
"""Rows of benchmarks, a folder for each; None: from the hub."""
HUB_ROWS_DIR = DATA_DIR / "benchmarks"
"""Where rows from the hub are kept."""

SECRET_KEY, *SECRET_KEY_FALLBACKS = env_secrets("SECRET_KEY", KEYS_DIR / "secret_key")
"""The first one signs, all of them are believed."""
VOTER_KEY = env_secret("VOTER_KEY", KEYS_DIR / "voter_key")
"""Keys the digests of visitors' random ids. Changing it makes every visitor a new one."""
FIELD_KEYS = env_secrets("FIELD_KEYS", KEYS_DIR / "field_key")
"""Seal the keys of model servers in the database: the first one seals, all of them open."""

# --- where it is reached -----------------------------------------------------------------------------------------

DEBUG = env_bool("DEBUG", False)
PORT = env_int("PORT", 8000, at_least=1, at_most=MAX_PORT)
_public = env_origin("PUBLIC_URL", f"http://127.0.0.1:{PORT}")
PUBLIC_URL = str(_public)
"""Scheme, host and port that people type. Decides allowed hosts, trusted origins and secure cookies."""

_LOCAL_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
# The local names are always there: the health check of a container asks from within.
ALLOWED_HOSTS = list(dict.fromkeys([*env_list("ALLOWED_HOSTS", [_public.host]), *_LOCAL_HOSTS]))
if "*" in ALLOWED_HOSTS and not DEBUG:
    raise ImproperlyConfigured("ALLOWED_HOSTS=*: name the hosts; any name that leads here could stand for us")
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
SOCKET_ORIGINS = [PUBLIC_URL]
if _public.host in _LOCAL_HOSTS:
    SOCKET_ORIGINS += [str(_public._replace(host=host)) for host in _LOCAL_HOSTS if host != _public.host]
TRUSTED_PROXIES = env_networks("TRUSTED_PROXIES")
"""Addresses and networks whose X-Forwarded-For and X-Forwarded-Proto are believed."""

_secure = _public.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = _secure
SECURE_HSTS_SECONDS = 31_536_000 if _secure else 0
SECURE_SSL_REDIRECT = False  # the proxy in front does it
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")  # `untrusted_headers` lets only that of a proxy through
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_AGE = 31_536_000
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# What `check --deploy` would ask for besides: the domain's other hosts, and lists in browsers, are not ours to decide
# about (W005, W021), and the proxy in front redirects to https (W008).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]

# --- who may do what ---------------------------------------------------------------------------------------------

ACCESS = env_choice("ACCESS", ["public", "members"], "public")
"""`public`: anybody may vote and read. `members`: only people who are signed in."""
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "accounts:sign_in"
LOGIN_REDIRECT_URL = "arena:new_battle"
LOGOUT_REDIRECT_URL = "arena:new_battle"

# --- battles -----------------------------------------------------------------------------------------------------

PROMPT_LIMIT = env_int("PROMPT_LIMIT", 8_000, at_least=1, at_most=40_000)
"""Characters of one prompt. At most so many as fit, six bytes each, into a frame of the socket (`up.FRAME_BYTES`)."""
TURN_LIMIT = env_int("TURN_LIMIT", 5, at_least=1)
ANSWER_TOKEN_LIMIT = env_int("ANSWER_TOKEN_LIMIT", 1024, at_least=1)
PRELIMINARY_VOTES = env_int("PRELIMINARY_VOTES", 300, at_least=1)
"""Below so many votes a rating is marked as preliminary."""
LOADING_SECONDS = env_int("LOADING_SECONDS", 600, at_least=1)
FIRST_TOKEN_SECONDS = env_int("FIRST_TOKEN_SECONDS", 60, at_least=1)
STALLED_SECONDS = env_int("STALLED_SECONDS", 20, at_least=1)
ANSWER_SECONDS = env_int("ANSWER_SECONDS", 300, at_least=1)
BATTLES_PER_HOUR = env_int("BATTLES_PER_HOUR", 60, at_least=1)
TURNS_PER_MINUTE = env_int("TURNS_PER_MINUTE", 12, at_least=1)
VOTES_PER_HOUR = env_int("VOTES_PER_HOUR", 120, at_least=1)
FRAMES_PER_MINUTE = env_int("FRAMES_PER_MINUTE", 240, at_least=1)
"""Whatever one visitor's pages ask through their sockets."""
ADDRESS_FACTOR = env_int("ADDRESS_FACTOR", 20, at_least=1)
"""One address may stand for a school: it is allowed so many times what one visitor is."""
SIGN_INS_PER_HOUR = env_int("SIGN_INS_PER_HOUR", 30, at_least=1)
MAX_ACTIVE_TURNS = env_int("MAX_ACTIVE_TURNS", 500, at_least=1)
"""Turns that one web process streams at the same time."""
ACTIVE_TURNS_PER_VISITOR = env_int("ACTIVE_TURNS_PER_VISITOR", 4, at_least=1)
"""Of these, how many one visitor may have."""
OUTLIVES_SOCKET_SECONDS = env_int("OUTLIVES_SOCKET_SECONDS", 30, at_least=1)
"""So long a turn goes on that nobody looks at: whoever lost the connection finds it where it is."""

# --- model servers -----------------------------------------------------------------------------------------------

ENDPOINT_NETWORKS = env_networks("ENDPOINT_NETWORKS")
"""Besides public addresses, where a model server may be."""

# --- database, cache, queues -------------------------------------------------------------------------------------

DATABASES = {"default": env_database("DATABASE_URL", DATA_DIR / "hakem.sqlite3")}
IS_SQLITE = "sqlite" in DATABASES["default"]["ENGINE"]
if IS_SQLITE:
    # IMMEDIATE takes the write lock at BEGIN, where `timeout` waits for it; a DEFERRED transaction that turns into
    # a writer fails at once with "database is locked", however long the timeout.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
else:
    # Persistent connections leak under ASGI; the pool is shared by a process's threads instead.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {"min_size": 1, "max_size": 16, "timeout": 20}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env_server("REDIS_URL", ["redis", "rediss"])
CELERY_BROKER_URL = env_server(
    "CELERY_BROKER_URL", ["memory", "redis", "rediss", "amqp", "amqps"], REDIS_URL or "memory://localhost"
)
EMBEDDED = CELERY_BROKER_URL.startswith("memory://")
"""One process does everything: pages, sockets, engines and background work."""
LOADS_WEIGHTS = env_bool("LOADS_WEIGHTS", EMBEDDED)
"""Whether this process may hold weights of models itself. Web processes of the scaled mode ask endpoints instead."""
if EMBEDDED and not ENDPOINT_NETWORKS:
    ENDPOINT_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("::1")]
if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            # redis-py 8 would otherwise close every idle subscription after five seconds
            "CONFIG": {"hosts": [{"address": REDIS_URL, "socket_timeout": None}]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
RATE_LIMIT_STORAGE = REDIS_URL or "memory://"

CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_ENABLE_REMOTE_CONTROL = True  # answers a ping, so that `doctor` can count how many there are
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "memory": {"polling_interval": 0.1},
    "redis": {"visibility_timeout": 86_400, "socket_timeout": 30, "socket_keepalive": True},
}.get(urlsplit(CELERY_BROKER_URL).scheme.replace("rediss", "redis"), {})
BOARD_REFRESH_SECONDS = 2
CELERY_BEAT_SCHEDULE = {
    "refresh-live-board": {
        "task": "leaderboard.tasks.refresh_live_board",
        "schedule": BOARD_REFRESH_SECONDS,
        "options": {"expires": 10},
    },
    "ask-resting-endpoints": {
        "task": "llms.tasks.ask_resting_endpoints",
        "schedule": 10,
        "options": {"expires": 30},
    },
    "reconcile-runs": {
        "task": "evaluation.tasks.reconcile_runs",
        "schedule": 10,
        "options": {"expires": 30},
    },
    "examine-private-sets": {
        "task": "evaluation.tasks.examine_private_sets",
        "schedule": 10,
        "options": {"expires": 30},
    },
}
if not EMBEDDED:
    # A single process knows without asking whether its turns are alive; what a restart cut off it finds when it starts.
    CELERY_BEAT_SCHEDULE["cut-off-abandoned-turns"] = {
        "task": "arena.tasks.cut_off_abandoned_turns",
        "schedule": 5,
        "options": {"expires": 15},
    }

# --- the application ---------------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "accounts.apps.HakemAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "channels",
    "csp",
    "config.apps.ConfigConfig",
    "accounts.apps.AccountsConfig",
    "llms",
    "arena",
    "evaluation",
    "leaderboard",
]
MIDDLEWARE = [
    "accounts.middleware.untrusted_headers",
    "telemetry.middleware.measured",
    "django.middleware.security.SecurityMiddleware",
    "accounts.middleware.security_headers",
    "csp.middleware.CSPMiddleware",
    "config.served_files.ServedFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "accounts.middleware.api_tokens",
    "accounts.middleware.members_only",
]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context_processors.preferences",
            ]
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
INSTALLED_APPS.append("django.forms")

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "manifest-src": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or TESTING
        else "config.static.ModuleManifestStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG or TESTING

LANGUAGE_CODE = env_choice("LANGUAGE_CODE", ["en", "tr"], "en")
LANGUAGES = [("en", _("English")), ("tr", _("Turkish"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env_time_zone("TIME_ZONE", "UTC")
USE_TZ = True
USE_THOUSAND_SEPARATOR = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_000_000

# --- what an operator sees ---------------------------------------------------------------------------------------

METRICS_NETWORKS = env_networks("METRICS_NETWORKS") or [ip_network("127.0.0.0/8"), ip_network("::1")]
"""Where /metrics may be read from without a token."""
METRICS_TOKEN = env_text("METRICS_TOKEN")
METRICS_FOLDER = env_text("PROMETHEUS_MULTIPROC_DIR")
"""Where several web processes of one machine add up what they count. prometheus_client reads the variable itself."""
LOG_LEVEL = env_choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], "INFO")
LOG_FORMAT = env_choice("LOG_FORMAT", ["line", "json"], "line" if EMBEDDED else "json")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"()": "telemetry.logs.LineFormatter"},
        "json": {"()": "telemetry.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # a task every two seconds would drown everything else
    "loggers": {name: {"level": "WARNING"} for name in ("celery", "kombu", "httpx2", "httpcore2", "transformers")}
    | {"ContinuousBatchingLogger": {"level": "WARNING"}},
}
