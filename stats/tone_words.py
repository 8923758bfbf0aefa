"""How sure a text sounds: words of certainty (boosters) and of doubt (hedges), in English and Turkish.

Voters reward an answer that sounds sure whether or not it is right, so a board may want to hold that equal, as it holds
length. A lexicon is a blunt measure: it hears neither irony nor what a sentence is about. It was put together for this
purpose by two rules. A word belongs if its main use in an answer is to say how certain the writer is, and phrases are
preferred to words with other meanings ("may" and "will" are left out). Negated
boosters ("not certain", "emin değilim") are listed as the hedges they are, and the longest phrase at a place counts.
(The terms: Hyland 1998, "Boosting, hedging and the negotiation of academic knowledge".)
"""

import re
from typing import Final, NamedTuple

BOOSTERS_ENGLISH: Final = """
absolutely | assuredly | beyond doubt | beyond question | by all means | certainly | clearly | conclusively | decidedly
definitely | definitively | doubtless | evidently | for certain | for sure | guaranteed | i am certain | i am confident
i am sure | i guarantee | i'm certain | i'm confident | i'm sure | in fact | indeed | indisputably | indubitably
inevitably | invariably | it is certain | it is clear | it is obvious | it's certain | it's clear | it's obvious
make no mistake | no doubt | obviously | of course | plainly | positively | rest assured | surely | there is no question
unambiguously | undeniably | undoubtedly | unequivocally | unquestionably | without a doubt | without doubt
without question
"""
HEDGES_ENGLISH: Final = """
apparently | arguably | as far as i know | as far as i can tell | i am not certain | i am not sure | i am unsure
i believe | i could be wrong | i don't know | i do not know | i guess | i may be wrong | i might be wrong
i suppose | i suspect | i think | i'm not certain | i'm not sure | i'm unsure | if i remember correctly
in my opinion | in my view | it appears | it could be | it depends | it is possible | it is unclear | it may be
it might be | it seems | it's possible | it's unclear | likely | maybe | might | not certain | not clear
not definitely | not entirely sure | not necessarily | not sure | perhaps | possibly | presumably | probably
reportedly | roughly speaking | seemingly | supposedly | to my knowledge | to some extent | uncertain
unclear | unlikely | unsure
"""
BOOSTERS_TURKISH: Final = """
açıkça | açıktır ki | apaçık | aşikâr | aşikar | besbelli | elbette | elbet | eminim
garanti ederim | hiç kuşkusuz | hiç şüphesiz | hiçbir kuşku yok | hiçbir şüphe yok | içiniz rahat olsun | kesin
kesinlikle | kesin olarak | kesindir | kuşkusuz | kuşku yok ki | kuşkuya yer yok | mutlak surette | mutlaka | muhakkak
net bir şekilde | şüphe yok ki | şüpheniz olmasın | şüphesiz | şüphesiz ki | tabii ki | tabiî ki | tartışmasız
hiç tereddütsüz | tereddütsüz
"""
HEDGES_TURKISH: Final = """
anlaşılan | bana göre | bana kalırsa | belki | belki de | belirsiz | belli değil | bence | bildiğim kadarıyla
bilmiyorum | büyük ihtimalle | büyük olasılıkla | emin değilim | galiba | gibi görünüyor | gibi görünmektedir
göründüğü kadarıyla | hatırladığım kadarıyla | herhalde | herhâlde | ihtimal ki | kanımca | kesin değil
kesin değildir | kesin olmamakla birlikte | mümkün olabilir | muhtemelen | muhtemel | olabilir | olabilir ki
olasılıkla | öyle görünüyor ki | sanırım | sanıyorum | sanki | şüpheli | tahminen | tahminimce | tahmin ediyorum
yanılıyor olabilirim | yanılmıyorsam | zannederim | zannediyorum
"""


class Tone(NamedTuple):
    n_boosters: int
    n_hedges: int


def count_tone(text: str) -> Tone:
    """Count phrases of either kind in a text, each word in one phrase at most, and the longest phrase first."""
    n_boosters = n_hedges = 0
    for found in _PHRASE.finditer(_folded(text)):
        if _SPACES.sub(" ", found[0]) in _BOOSTERS:
            n_boosters += 1
        else:
            n_hedges += 1
    return Tone(n_boosters, n_hedges)


def _folded(text: str) -> str:
    """Lower case in which Turkish and English agree: both dotted capital and plain I become a plain i, as does ı."""
    plain = text.replace("\u2019", "'").replace("İ", "i").replace("I", "i").replace("ı", "i")
    return plain.lower().replace("\u0307", "")


def _phrases(lexicon: str) -> frozenset[str]:
    return frozenset(_folded(phrase.strip()) for line in lexicon.strip().splitlines() for phrase in line.split("|"))


_SPACES: Final = re.compile(r"\s+")
_BOOSTERS: Final = _phrases(BOOSTERS_ENGLISH) | _phrases(BOOSTERS_TURKISH)
_HEDGES: Final = _phrases(HEDGES_ENGLISH) | _phrases(HEDGES_TURKISH)
# One space or line break between the words of a phrase: with any number of them the search would not be linear.
_PHRASE: Final = re.compile(
    r"(?<!\w)(?:"
    + "|".join(re.escape(phrase).replace(r"\ ", r"\s") for phrase in sorted(_BOOSTERS | _HEDGES, key=len, reverse=True))
    + r")(?!\w)"
)
