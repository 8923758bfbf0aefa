"""Two people import the same file at the same moment, on PostgreSQL, where both can write."""

import subprocess
import sys

from tests.helpers.server import ROOT, Server, free_port
from tests.helpers.vote_files import write_file

N_ROWS = 6_000


def test_each_row_is_there_once_and_counted_once(tmp_path, database_url):
    rows = "".join(f"m{i % 20},m{20 + i % 17},{('left', 'right', 'tie')[i % 3]}\n" for i in range(N_ROWS))
    path = write_file(tmp_path, "votes.csv", "left,right,winner\n" + rows)
    site = Server(tmp_path, free_port(), {"DATABASE_URL": database_url})
    site.run("from django.core.management import call_command; call_command('migrate', verbosity=0)")
    command = [sys.executable, "manage.py", "import_votes", str(path)]
    both = [
        subprocess.Popen(
            command, cwd=ROOT, env=site.settings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    told = [process.communicate(timeout=120) for process in both]

    assert [process.returncode for process in both] == [0, 0], told
    added = [int(out.rpartition(": ")[2].split()[0].replace(",", "")) for out, _ in told]
    assert sum(added) == N_ROWS, "what one adds, the other finds"
    counted = site.run(
        "from arena import ledger; from arena.models import ImportedVote, PairCount, VoteImport\n"
        "from django.db.models import Sum\n"
        "from llms.models import LanguageModel\n"
        "print(ledger.differences(), ImportedVote.objects.count(), PairCount.objects.aggregate(n=Sum('n'))['n'],"
        " VoteImport.objects.count(), LanguageModel.objects.count())"
    )
    assert counted.strip() == f"[] {N_ROWS} {N_ROWS} 1 37"
