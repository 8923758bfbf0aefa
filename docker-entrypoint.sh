#!/bin/sh
# What a container does: `web`, `worker`, `beat`, `migrate`, `healthy`, or any command. Further arguments are passed on.
set -eu

# as in manage.py, and for the same reason
export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}" TOKENIZERS_PARALLELISM=false

role=${1:-web}
[ $# -eq 0 ] || shift

case $role in
  web) # the options of `manage.py up`; X-Forwarded-* is read by Hakem itself, from TRUSTED_PROXIES only
    exec uvicorn config.asgi:application --host 0.0.0.0 --port "${PORT:-8000}" --lifespan on \
      --ws websockets-sansio --ws-max-size 262144 --ws-per-message-deflate false --timeout-graceful-shutdown 10 \
      --no-server-header --no-access-log --no-proxy-headers "$@" ;;
  worker)
    exec celery --app config.celery worker --pool threads --concurrency 4 "$@" ;;
  beat) # the schedule is a matter of seconds: nothing of it need be kept in a file
    exec celery --app config.celery beat --scheduler celery.beat:Scheduler "$@" ;;
  migrate)
    python manage.py migrate --no-input "$@"
    exec python manage.py collectstatic --no-input --verbosity 0 ;;
  healthy)
    exec python -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=4)" \
      "http://127.0.0.1:${PORT:-8000}/healthz" ;;
  *)
    exec "$role" "$@" ;;
esac
