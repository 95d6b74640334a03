"""The verbs of the word_order data set, each with its forms: bought/buy/bought."""

from paraphrase_lab.word_order.grammar import words

TRIPS = words(
    "took a flight/take a flight = flew/fly, took a train/take a train = went by train/go by train, took a bus/take a bus"
    " = went by bus/go by bus, took a taxi/take a taxi = went by taxi/go by taxi, drove/drive = went by car/go by car, "
    "walked/walk = went on foot/go on foot, cycled/cycle = went by bike/go by bike, sailed/sail = went by boat/go by "
    "boat, sent a letter/send a letter, made a call/make a call, carried a bag/carry a bag, rode a horse/ride a horse, "
    "ran/run, moved/move, brought a present/bring a present"
)
WALKS = tuple(trip for trip in TRIPS if str(trip) in {"took a bus", "took a taxi", "drove", "walked", "cycled", "ran"})
GIVING = words("gave/give/given/received, lent/lend/lent/borrowed, sold/sell/sold/bought = sold/sell/sold/purchased")
SHOWING = words("showed/show/shown, sent/send/sent, brought/bring/brought, threw/throw/thrown, offered/offer/offered")
TAKING = words(
    "bought/buy/bought = purchased/purchase/purchased, borrowed/borrow/borrowed, chose/choose/chosen = "
    "picked/pick/picked, found/find/found, lost/lose/lost, sold/sell/sold, stole/steal/stolen, hid/hide/hidden"
)
HAVING = words("saw, counted, drew, bought = purchased")
DEEDS = words(
    "called/call/called = phoned/phone/phoned, followed/follow/followed, helped/help/helped = assisted/assist/assisted, "
    "hired/hire/hired, invited/invite/invited, pushed/push/pushed, saved/save/saved = rescued/rescue/rescued, "
    "thanked/thank/thanked, visited/visit/visited, warned/warn/warned, watched/watch/watched, saw/see/seen, "
    "found/find/found, beat/beat/beaten, taught/teach/taught, hit/hit/hit = "
    "struck/strike/struck, kissed/kiss/kissed, hurt/hurt/hurt = injured/injure/injured, paid/pay/paid, "
    "interviewed/interview/interviewed, caught/catch/caught, arrested/arrest/arrested, hugged/hug/hugged, "
    "pulled/pull/pulled, carried/carry/carried, kicked/kick/kicked, ignored/ignore/ignored, surprised/surprise/surprised,"
    " greeted/greet/greeted, chased/chase/chased, photographed/photograph/photographed"
)
FEELINGS = words("loved/love/loved, hated/hate/hated, trusted/trust/trusted, liked/like/liked")
"""Verbs of states, which have no point in time."""
HUNTING = words(
    "chased/chase/chased, bit/bite/bitten, saw/see/seen, followed/follow/followed, attacked/attack/attacked, "
    "watched/watch/watched, scared/scare/scared = frightened/frighten/frightened, heard/hear/heard, found/find/found"
)
CHASING = tuple(verb for verb in HUNTING if str(verb) not in {"bit", "attacked"})
SAYING = words("said/say, claimed/claim, thought/think")
STARTING = words("starts/start = begins/begin, ends/end = finishes/finish")
LIVING = words("lives/live, works/work, studies/study")
LIKING = words("likes/like = enjoys/enjoy, hates/hate, misses/miss")
CARING = words("likes/like, hates/hate, misses/miss")
EVENTS = words(
    "arrived/arrive, left/leave, slept/sleep, laughed/laugh, cried/cry, sang/sing, danced/dance, waited/wait, "
    "worked/work, cooked/cook, fell/fall, spoke/speak = talked/talk, ate/eat, won/win, lost/lose, went home/go home, woke"
    " up/wake up, came in/come in, called/call = phoned/phone, sat down/sit down, smiled/smile, shouted/shout, ran "
    "away/run away, got up/get up, stayed at home/stay at home, fell asleep/fall asleep"
)
REACTIONS = words(
    "left/leave, cried/cry, waited/wait, went home/go home, cooked/cook, called/call = phoned/phone, sat down/sit down, "
    "smiled/smile, shouted/shout, ran away/run away, stayed at home/stay at home"
)
CHORES = words(
    "had breakfast/have breakfast = ate breakfast/eat breakfast, had dinner/have dinner = ate dinner/eat dinner, took a "
    "bath/take a bath, read a book/read a book, went for a walk/go for a walk, fed the cat/feed the cat, did the "
    "dishes/do the dishes = washed the dishes/wash the dishes, cleaned the kitchen/clean the kitchen, called a "
    "friend/call a friend, wrote a letter/write a letter, watched TV/watch TV, watched a film/watch a film = watched a "
    "movie/watch a movie, went shopping/go shopping, did the washing/do the washing, made coffee/make coffee, opened the "
    "window/open the window, locked the door/lock the door, drank a glass of water/drink a glass of water, took the "
    "medicine/take the medicine, paid the bill/pay the bill, closed the window/close the window = shut the window/shut "
    "the window, bought milk/buy milk, walked the dog/walk the dog, washed the car/wash the car, fed the dog/feed the "
    "dog, baked a cake/bake a cake, watered the plants/water the plants, cleaned the room/clean the room, did the "
    "homework/do the homework, left the house/leave the house, called the doctor/call the doctor = phoned the "
    "doctor/phone the doctor, brushed the dog/brush the dog, wrote an email/write an email"
)
DOING = words(
    "playing in the garden, sleeping in the car, working in a bank, working in a hospital, sitting on the bed, running in"
    " the park, swimming in the lake, reading a book, watching TV, eating an apple, drinking tea, dancing in the street, "
    "singing a song, cooking dinner, learning English, writing a letter, waiting for the bus, looking for a job = "
    "searching for a job, talking to a friend = speaking to a friend, playing football, riding a bike, listening to "
    "music, cleaning the house, walking to school, driving to work, washing the car, baking a cake, painting the wall, "
    "talking on the phone, making coffee, watching a film = watching a movie, walking the dog, drawing a picture, "
    "climbing a tree, doing the homework, feeding the cat, buying bread, repairing the roof = fixing the roof, helping "
    "the teacher, taking a shower"
)
ACHIEVING = words(
    "passed the test/pass the test = passed the exam/pass the exam, came to the wedding/come to the wedding, went to the "
    "lake/go to the lake, won a prize/win a prize, missed the bus/miss the bus, left early/leave early, came late/come "
    "late = arrived late/arrive late, got a present/get a present = received a present/receive a present, stayed in "
    "bed/stay in bed, paid the bill/pay the bill, ate the cake/eat the cake, found a job/find a job, heard the noise/hear"
    " the noise, finished the homework/finish the homework, saw the accident/see the accident, lost the game/lose the "
    "game, took the train/take the train, answered the question/answer the question, fell asleep/fall asleep"
)
