"""What tests and drills say: neutral sentences of our own, about crafts and simple machines, drawn from a rotating list.

The operators of the first hot line sent each other such texts every hour, so
that machines and people were in practice. They are vetted as theirs were: no
animal, colour, figure, place or weather that somebody could take for a sign,
no order, no haste, nobody named. Each begins with what it is, in its own
language; and a test is a kind of its own, so that no program can mistake it.

Spec: spec/06-entries.md, 6.12 and 6.47.
"""

from collections.abc import Mapping

MARKS: Mapping[str, tuple[str, str]] = {
    "en": ("Exercise.", "Drill. This is an exercise."),
    "fr": ("Exercice.", "Exercice d'alerte. Ceci est un exercice."),
    "ru": ("Учебное сообщение.", "Учебная тревога. Это учебное сообщение."),
    "ar": ("تمرين.", "إنذار تدريبي. هذا تمرين."),
}
"""How a test and how a drill begins."""

TEXTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "A lever lets a small force lift a heavy stone, if the arm is long enough.",
        "The baker kneads the dough, covers it with a cloth and lets it rest.",
        "A pulley changes the direction of a rope, and two of them halve the weight.",
        "The potter keeps the clay moist, and the wheel does the rest.",
        "A screw is an inclined plane wound around a rod.",
        "The bookbinder sews the sheets together before she glues the cover.",
        "Flour passes through a sieve so that the bread becomes even.",
        "A wedge splits the wood along its grain and never against it.",
        "The watchmaker sets each wheel in its place and oils it with a needle.",
        "Paper is made of fibres that hold each other while the water drains away.",
        "The carpenter measures again, and only then takes up the saw.",
        "The weaver counts the threads and passes the shuttle from hand to hand.",
    ),
    "fr": (
        "Un levier permet à une petite force de soulever une lourde pierre, si le bras est assez long.",
        "La boulangère pétrit la pâte, la couvre d'un linge et la laisse reposer.",
        "Une poulie change la direction d'une corde, et deux d'entre elles partagent le poids.",
        "Le potier garde l'argile humide, et le tour fait le reste.",
        "Une vis est un plan incliné enroulé autour d'une tige.",
        "Le relieur coud les cahiers ensemble avant de coller la couverture.",
        "La farine passe par un tamis pour que le pain soit régulier.",
        "Un coin fend le bois dans le sens du fil, jamais en travers.",
        "L'horlogère met chaque roue à sa place et l'huile avec une aiguille.",
        "Le papier est fait de fibres qui se tiennent pendant que l'eau s'écoule.",
        "Le menuisier mesure encore une fois, et alors seulement prend la scie.",
        "La tisserande compte les fils et passe la navette d'une main à l'autre.",
    ),
    "ru": (
        "Рычаг позволяет малой силой поднять тяжёлый камень, если плечо достаточно длинное.",
        "Пекарь месит тесто, накрывает его полотенцем и даёт ему отдохнуть.",
        "Блок меняет направление верёвки, а два блока делят вес пополам.",
        "Гончар держит глину влажной, остальное делает круг.",
        "Винт — это наклонная плоскость, обвитая вокруг стержня.",
        "Переплётчик сшивает листы, прежде чем приклеить обложку.",
        "Муку просеивают через сито, чтобы хлеб вышел ровным.",
        "Клин колет дерево вдоль волокна и никогда поперёк.",
        "Часовщик ставит каждое колёсико на место и смазывает его иглой.",
        "Бумага состоит из волокон, которые держатся друг за друга, пока стекает вода.",
        "Столяр измеряет ещё раз и только потом берёт пилу.",
        "Ткачиха считает нити и передаёт челнок из руки в руку.",
    ),
    "ar": (
        "الرافعة تتيح لقوة صغيرة أن ترفع حجرا ثقيلا إذا كانت الذراع طويلة بما يكفي.",
        "يعجن الخباز العجين ويغطيه بقطعة قماش ويتركه يرتاح.",
        "البكرة تغير اتجاه الحبل، وبكرتان معا تقسمان الثقل.",
        "يحافظ الفخاري على رطوبة الطين، والدولاب يفعل الباقي.",
        "البرغي سطح مائل ملفوف حول قضيب.",
        "يخيط مجلد الكتب الأوراق معا قبل أن يلصق الغلاف.",
        "يمر الدقيق عبر المنخل ليأتي الخبز متساويا.",
        "الإسفين يشق الخشب مع أليافه لا عكسها.",
        "يضع صانع الساعات كل ترس في مكانه ويزيته بإبرة.",
        "يصنع الورق من ألياف يمسك بعضها بعضا بينما يصفى الماء.",
        "يقيس النجار مرة أخرى ثم يأخذ المنشار.",
        "تعد النساجة الخيوط وتمرر المكوك من يد إلى يد.",
    ),
}
"""The same sentences in each language; a language that is not here tests in English."""


def exercise_text(language: str, number: int, *, drill: bool) -> tuple[str, str]:
    """The text of a test, beginning with what it is, and its language: that of `language` if it has sentences."""
    spoken = language.partition("-")[0]
    if spoken not in TEXTS:
        spoken = "en"
    sentences = TEXTS[spoken]
    return f"{MARKS[spoken][drill]} {sentences[number % len(sentences)]}", spoken
