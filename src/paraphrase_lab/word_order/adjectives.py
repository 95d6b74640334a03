"""The adjectives of the word_order data set: big///small has its opposite, bigger/big//smaller all that a comparison needs."""

from paraphrase_lab.word_order.grammar import words

COLOURS = words("black, blue, brown, green, grey, pink, purple, red, white, yellow, orange")
QUALITIES = words(
    "braver/brave, calmer/calm, kinder/kind = nicer/nice, older/old//younger, richer/rich//poorer, taller/tall//shorter, "
    "faster/fast//slower = quicker/quick//slower, stronger/strong//weaker, heavier/heavy//lighter, happier/happy//sadder,"
    " smarter/smart = cleverer/clever, thinner/thin//fatter"
)
OPPOSED = tuple(quality for quality in QUALITIES if quality.other)
COMPARED = words(
    "bigger/big//smaller = larger/large//smaller, cheaper/cheap//more expensive, newer/new//older, "
    "heavier/heavy//lighter, cleaner/clean//dirtier, older/old//newer"
)
RACING = COMPARED + words("faster/fast//slower = quicker/quick//slower, louder/loud//quieter")
STATES = words(
    "was late, was ill = was sick, was tired, was angry, was happy, was rich = was wealthy, was right, was famous, was "
    "hungry, was afraid = was scared, was sad, was busy, was wrong, was alone, was married, was asleep"
)
REASONS = tuple(
    state for state in STATES if str(state).split()[1] in "late ill tired angry hungry afraid sad busy wrong".split()
)
MOODS = words(
    "happy///sad, sad///happy, ill///healthy = sick///healthy, healthy///ill, tired///rested, busy///free, young///old, "
    "old///young, tall///short, short///tall, rich///poor = wealthy///poor, poor///rich, strong///weak, weak///strong, "
    "angry///calm, hungry///full, famous///unknown, kind///cruel = nice///cruel, afraid///brave = scared///brave, "
    "lazy///active"
)
ADJECTIVES = words(
    "big///small = large///small, old///new, clean///dirty, heavy///light, cheap///expensive, beautiful///ugly, "
    "small///big, new///old, wet///dry, dirty///clean, expensive///cheap"
)
TASTES = words("hot///cold, cold///hot, good///bad, bad///good, warm///cold")
HEATS = TASTES[:2] + TASTES[4:]
IMPRESSIONS = words(
    "long///short, short///long, interesting///boring, boring///interesting = dull///interesting, good///bad, bad///good"
)
DEMANDS = words(
    "easy///difficult = easy///hard, difficult///easy = hard///easy, long///short, short///long, boring///interesting = "
    "dull///interesting"
)
VIEWS = words(
    "big///small = large///small, old///new, clean///dirty, empty///full, dark///bright, quiet///noisy, beautiful///ugly,"
    " safe///dangerous, small///big, open///closed = open///shut"
)
LOOKS = tuple(view for view in VIEWS if str(view) not in {"empty", "open"})
TWO_SIDED = words("open///closed = open///shut, closed///open = shut///open")
CONDITIONS = words("wet///dry, clean///dirty, dirty///clean, dry///wet")
WEATHERS = words("sunny, raining, snowing, windy, cold, hot, warm, cloudy = overcast, foggy")
DEGREES = words("very = really, so")
HEAT_DEGREES = DEGREES + words("too")
