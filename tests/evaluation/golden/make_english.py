"""Sentences and words in capitals as NLTK 3.9.1 counts them, in texts of our own.

pip install nltk==3.9.1, and NLTK_DATA with tokenizers/punkt_tab/english
python tests/evaluation/golden/make_english.py
"""

import json
from pathlib import Path

import nltk

TEXTS = [
    "One. Two! Three? Four...",
    "Dr. Aydın met Mr. K. Brown at 5 p.m. They left at 6 p.m. on Friday.",
    "J. S. Bach wrote it. So did C. P. E. Bach, in 1747. In 1750 he died.",
    "He said: “It rains.” She went out. “Really?” he asked.",
    'He said: "It rains." She went out. ("Why?") Nobody knew.',
    "The U.S. economy grew. The U.S. Army did not. U.N. The end.",
    "Version 2.5 is out. 3. Install it. 4. Run it.",
    "etc. and so on... and on ... And on. . . . The end.",
    "1. First\n2. Second\n3. Third\n\nThat is all.",
    "No end at all",
    "Ends with blanks.   \n\n  ",
    "What?! No!!! Yes... maybe. ok. lower case follows. Upper too.",
    "See Fig. 3 and Sec. 4. No. 7 is missing. No, it is not.",
    "I live at 5 Main St. It is long. I like St. Paul.",
    "He paid $3.50. A lot. Prof. Öz agreed... Then came Inc. 5000 and Acme Inc. It grew.",
    "A.B. is here. a.b. is not. x. Y. Z.",
    "(One.) [Two.] {Three.} 'Four.' \"Five.\"--Six. Seven.)  Eight.",
    "*One.* **Two.** _Three._ Four.* Five",
    "| . 2 . | . 1 . |\n| 3 . . | . . 4 |",
    "Wait.Now it is joined.And again. https://example.org/a.b?c=d. Done.",
    "He came at 10 a.m. Monday. We left in Jan. It was cold. Jan. 5 was colder.",
    "Üç cümle. Dört mü? Beş!",
    "Line one.\r\nLine two.\tTab. Thin.",
    ".",
    "...",
    "?!",
    "Mr.",
    "Mr. ",
    "I AM HERE. YOU'RE NOT! IT'S OK, ISN'T IT? WE'LL SEE. I'D SAY 'TIS SO.",
    "NASA's CEO met the F.B.I. in the U.S.A. A big day. GOT TA GO, GOTTA GO, CANNOT STAY.",
    "WELL-KNOWN AND/OR HALF_WAY, #1 CHOICE @HOME 50% OFF; R&D: COST=$5.",
    "THE WORD—JOINED BY A DASH—AND--TWO-- MORE – HERE.",
    "**BOLD** *ITALIC* `CODE` ``OLD'' “CURLY” ‘SINGLE’ «CHEVRON» 'STRAIGHT'",
    "D'YE KNOW? GIMME MORE'N THAT. WANNA GO? GONNA? LEMME. 'TWAS.",
    "O'NEIL'S BOOK, THE DOGS' TAILS. ROCK 'N' ROLL. '90S MUSIC.",
    "ÇOK GÜZEL. ÉTÉ. ΑΒΓ ДА 你好 A1 1A B-2 3D.",
    "MixedCase iOS A a I i X. Y... Z",
    "<<TITLE>> [PLACEHOLDER] {BRACES} (PARENS) <TAG> A]B",
    "P.S. I LOVE YOU. P.P.S. ME TOO. p.s. me three.",
    '"QUOTED." SHE SAID. "AGAIN"',
    "A.\nB.\n\nC. D.E. F",
    "ONE:TWO,THREE,4,5 6:7 END:",
    "We sell pens, ink, etc. The shop is shut. Acme Corp. However grew. Acme Corp. the second.",
    "It is approx. 5 km. It was in Dec. It rained. Mr. The. vs. This. e.g. That and i.e. This.",
    "It was No. 5. Review it. B. Smith came. N. Carolina is far. W. Va. is near. U.S. S. Korea. 12. Million.",
    "DON'T WON'T CAN'T I'VE THEY'RE HE'D n't N'T",
]


def main() -> None:
    tokenizer = nltk.data.load("nltk:tokenizers/punkt/english.pickle")
    rows = [
        {
            "text": text,
            "sentences": tokenizer.tokenize(text),
            "capitals": sum(word.isupper() for word in nltk.word_tokenize(text)),
        }
        for text in TEXTS
    ]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    Path(__file__).with_name("english.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
