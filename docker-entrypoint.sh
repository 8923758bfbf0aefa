#!/bin/sh
# What a container does: `web`, `worker`, `evaluator`, `beat`, `migrate`, `healthy`, or any command. Further arguments
# are passed on.
set -eu

# as in manage.py, and for the same reason
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" TOKENIZERS_PARALLELISM=false

role=${1:-web}
[ $# -eq 0 ] || shift

case $role in
  web) # the options of `manage.py up`; X-Forwarded-* is read by Hakem itself, from TRUSTED_PROXIES only
    if [ -n "${PROMETHEUS_MULTIPROC_DIR:-}" ]; then # with `--workers`; what former processes counted is over
      mkdir -p "$PROMETHEUS_MULTIPROC_DIR" && rm -f "$PROMETHEUS_MULTIPROC_DIR"/*.db
    fi
    exec uvicorn config.asgi:application --host 0.0.0.0 --port "${PORT:-8000}" --lifespan on \
      --ws websockets-sansio --ws-max-size 262144 --ws-per-message-deflate false --timeout-graceful-shutdown 10 \
      --no-server-header --no-access-log --no-proxy-headers --log-config config/uvicorn_logging.json "$@" ;;
  worker)
    exec celery --app config.celery worker --pool threads --concurrency 4 --queues default,judge "$@" ;;
  evaluator) # one for each device: it loads weights, and scores one run at a time
    export LOADS_WEIGHTS="${LOADS_WEIGHTS:-1}"
    exec celery --app config.celery worker --pool threads --concurrency 1 --queues gpu --hostname "gpu-$$@%h" "$@" ;;
  beat) # the schedule is a matter of seconds: nothing of it need be kept in a file. The name tells two of them apart
    exec celery --app config.celery beat --scheduler celery.beat:Scheduler --hostname "celerybeat-$$@%h" "$@" ;;
  migrate)
    python manage.py migrate --no-input "$@"
    exec python manage.py collectstatic --no-input --verbosity 0 ;;
  healthy) # or `healthy readyz`: all that a battle needs is there
    exec python -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=12)" \
      "http://127.0.0.1:${PORT:-8000}/${1:-healthz}" ;;
  *)
    exec "$role" "$@" ;;
esac
