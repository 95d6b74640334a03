"""The words of the word_order data set: everyday English, each with the forms that the families of constructions need."""

from paraphrase_lab.data.word_order_grammar import Word, words

NAMES = words(
    "Adam, Alice, Amy, Andrew, Anna, Ben, Bella, Bob, Carl, Chris, Clara, Daniel, David, Diana, Edward, Emily, Emma, "
    "Eric, Eva, Felix, Fiona, Frank, George, Grace, Hannah, Helen, Henry, Ivan, Jack, James, Jane, John, Julia, Karl, "
    "Kate, Kevin, Laura, Leo, Linda, Lisa, Lucas, Lucy, Maria, Mark, Martin, Mary, Michael, Nina, Nora, Oliver, "
    "Oscar, Paul, Paula, Peter, Rachel, Robert, Rosa, Sam, Sarah, Simon, Sofia, Steve, Susan, Thomas, Tim, Tina, Tom, "
    "Victor, Walter, Wendy"
)
KIN = words(
    "my mother = my mum, my father = my dad, my brother, my sister, my uncle, my aunt, my cousin, my son, my "
    "daughter, my wife, my husband, my neighbour, my friend, my boss"
)
JOBS = words(
    "teacher, doctor = physician, driver, nurse, lawyer = attorney, baker, farmer, policeman = police officer, "
    "soldier, singer, painter, writer = author, waiter, cook = chef, student, boy, girl, man, woman, king, queen, "
    "tourist, thief, dentist, pilot"
)
PEOPLE = NAMES + KIN + tuple(
    Word(f"the {job}", same=job.same and Word(f"the {job.same}")) for job in JOBS
)  # fmt: skip
SPEAKERS = (Word("I", "me", "am", "my"), Word("he", "him", "is", "his"), Word("she", "her", "is", "her"))
"""Pronouns: base is the object, done the form of to be, other the possessive."""
WHO = words("I, we, they, he, she, you")
TRAVELLERS = WHO + NAMES[:30]
CITIES = words(
    "Athens, Berlin, Boston, Cairo, Chicago, Delhi, Dublin, Geneva, Lisbon, London, Madrid, Milan, Moscow, New York, "
    "Oslo, Paris, Prague, Rome, Seoul, Sydney, Tokyo, Toronto, Vienna, Warsaw"
)
PLACES = words(
    "bakery, bank, bridge, castle, church, cinema, clinic, factory, garden, hospital, hotel, house, library, "
    "market, museum, palace, park, pharmacy, post office, restaurant, school, shop = store, stadium, station, "
    "supermarket, temple, theatre, tower, zoo"
)
THINGS = words(
    "bag, ball, basket, bicycle = bike, book, bottle, box, camera, car, chair, coat, cup, guitar, hat, key, knife, "
    "lamp, letter, map, mirror, newspaper = paper, phone = telephone, picture, plate, present = gift, radio, ring, "
    "shirt, sofa = couch, table, television = TV, ticket, toy, watch"
)
COLOURS = words("black, blue, brown, green, grey, pink, purple, red, white, yellow")
TRIPS = words(
    "took a flight/take a flight = flew/fly, took a train/take a train = went by train/go by train, took a bus/take a "
    "bus = went by bus/go by bus, took a taxi/take a taxi = went by taxi/go by taxi, drove/drive = went by car/go by "
    "car, walked/walk = went on foot/go on foot, cycled/cycle = went by bike/go by bike, sailed/sail = went by "
    "boat/go by boat, sent a letter/send a letter, made a call/make a call, carried a bag/carry a bag, rode a "
    "horse/ride a horse, ran/run, moved/move, brought a present/bring a present"
)
GIVING = words(
    "gave/give/given/got = handed/hand/handed/received, lent/lend/lent/borrowed, "
    "sold/sell/sold/bought = sold/sell/sold/purchased"
)
TAKING = words(
    "bought/buy/bought = purchased/purchase/purchased, borrowed/borrow/borrowed, chose/choose/chosen = "
    "picked/pick/picked, cleaned/clean/cleaned, found/find/found, lost/lose/lost, sold/sell/sold, wanted/want/wanted, "
    "fixed/fix/fixed = repaired/repair/repaired, broke/break/broken, painted/paint/painted, stole/steal/stolen, "
    "hid/hide/hidden, washed/wash/washed"
)
DEEDS = words(
    "called/call/called = phoned/phone/phoned, followed/follow/followed, helped/help/helped = "
    "assisted/assist/assisted, hired/hire/hired, invited/invite/invited, pushed/push/pushed, saved/save/saved = "
    "rescued/rescue/rescued, thanked/thank/thanked, trusted/trust/trusted, visited/visit/visited, warned/warn/warned, "
    "watched/watch/watched, saw/see/seen, found/find/found, beat/beat/beaten = defeated/defeat/defeated, "
    "taught/teach/taught, hit/hit/hit = struck/strike/struck, kissed/kiss/kissed, hurt/hurt/hurt = "
    "injured/injure/injured, paid/pay/paid, forgot/forget/forgotten, interviewed/interview/interviewed, "
    "caught/catch/caught, arrested/arrest/arrested, asked/ask/asked, loved/love/loved, hated/hate/hated"
)
HUNTING = words(
    "chased/chase/chased, bit/bite/bitten, saw/see/seen, followed/follow/followed, attacked/attack/attacked, "
    "watched/watch/watched, scared/scare/scared = frightened/frighten/frightened, killed/kill/killed, "
    "caught/catch/caught, heard/hear/heard, kicked/kick/kicked, found/find/found, licked/lick/licked"
)
ANIMALS = words(
    "dog, cat, horse, cow, pig, sheep, lion, tiger, bear, wolf, fox, mouse, rat, rabbit, snake, bird, duck, chicken, "
    "monkey, goat, boy, girl, man, woman, child = kid, farmer, hunter"
)
TIMES = words(
    "yesterday, today, this morning, last week, last night, last year, in March, in May, in summer, in winter, at "
    "noon, on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, on Saturday, on Sunday, two days ago, a week "
    "ago"
)
COMING = words(
    "tomorrow, tonight, next week, next year, in June, at noon, on Monday, on Tuesday, on Wednesday, on Thursday, on "
    "Friday, on Saturday, on Sunday"
)
QUALITIES = words(
    "braver/brave, calmer/calm, kinder/kind = nicer/nice, louder/loud//quieter, older/old//younger, "
    "richer/rich//poorer, taller/tall//shorter, faster/fast//slower = quicker/quick//slower, stronger/strong//weaker, "
    "heavier/heavy//lighter, happier/happy//sadder, smarter/smart = cleverer/clever, thinner/thin//fatter, "
    "better/good//worse"
)
OPPOSED = tuple(quality for quality in QUALITIES if quality.other)
COMPARED = words(
    "bigger/big//smaller = larger/large//smaller, cheaper/cheap//more expensive, newer/new//older, heavier/heavy//lighter, "
    "longer/long//shorter, cleaner/clean//dirtier, better/good//worse, older/old//newer"
)
RACING = COMPARED + words("faster/fast//slower = quicker/quick//slower, louder/loud//quieter")
MACHINES = words(
    "car, bus, train, boat, bicycle = bike, truck = lorry, taxi = cab, plane = aeroplane, ship, motorbike = motorcycle, "
    "tractor, van"
)
HEDGES = words("of course, in my opinion, as far as I know, at the moment, these days, this year")
SAYING = words("said/say, claimed/claim, thought/think")
STATES = words(
    "was late, was ill = was sick, was tired, was angry, was happy = was glad, was rich = was wealthy, was right, was "
    "famous, was hungry, was afraid = was scared, was sad, was busy, was wrong, was alone, was married, was asleep"
)
EVENTS = words(
    "arrived/arrive, left/leave, slept/sleep, laughed/laugh, cried/cry, sang/sing, danced/dance, waited/wait, "
    "worked/work, cooked/cook, fell/fall, spoke/speak = talked/talk, ate/eat, won/win, lost/lose, went home/go home, "
    "woke up/wake up, came in/come in, called/call = phoned/phone, sat down/sit down"
)
CHORES = words(
    "had breakfast/have breakfast = ate breakfast/eat breakfast, had lunch/have lunch = ate lunch/eat lunch, had "
    "dinner/have dinner = ate dinner/eat dinner, took a bath/take a bath, read a book/read a book, went for a walk/go "
    "for a walk, fed the cat/feed the cat, did the dishes/do the dishes = washed the dishes/wash the dishes, cleaned "
    "the kitchen/clean the kitchen, called a friend/call a friend, wrote a letter/write a letter, watched TV/watch "
    "TV, watched a film/watch a film = watched a movie/watch a movie, went shopping/go shopping, did the washing/do "
    "the washing, made coffee/make coffee, opened the window/open the window, locked the door/lock the door, turned "
    "off the light/turn off the light, played football/play football, drank a glass of water/drink a glass of water, "
    "took the medicine/take the medicine, paid the bill/pay the bill, closed the window/close the window = shut the "
    "window/shut the window, bought milk/buy milk, walked the dog/walk the dog"
)
SIDES = words(
    "above///below, behind///in front of, north of///south of, east of///west of, to the left of///to the right of, "
    "in front of///behind, below///above, south of///north of"
)
TITLES = words("coach, doctor, driver, guide, lawyer = attorney, nurse, tutor, assistant, partner, cook, editor, manager")
RELATIONS = words(
    "teacher///student, boss///employee, parent///child, landlord///tenant, host///guest, grandparent///grandchild, "
    "leader///follower, coach///player"
)
NUMBERS = words(
    "two = 2, three = 3, four = 4, five = 5, six = 6, seven = 7, eight = 8, nine = 9, ten = 10, eleven = 11, twelve = "
    "12, twenty = 20, fifty = 50, a hundred = 100"
)
HOURS = words(
    "one = 1, two = 2, three = 3, four = 4, five = 5, six = 6, seven = 7, eight = 8, nine = 9, ten = 10, eleven = 11, "
    "twelve = 12"
)
COUNTED = words(
    "apples/apple, eggs/egg, books/book, cups/cup, keys/key, shirts/shirt, shoes/shoe, cakes/cake, flowers/flower, "
    "oranges/orange, coins/coin, pens/pen, letters/letter, bottles/bottle, bags/bag, tickets/ticket, dollars/dollar, "
    "plates/plate, knives/knife, photos/photo = pictures/picture"
)
OWNED = COUNTED + words(
    "chairs/chair, cats/cat, dogs/dog, horses/horse, brothers/brother, sisters/sister, children/child = kids/kid, "
    "friends/friend, cars/car, houses/house, students/student"
)
SPOTS = words(
    "on the table, in the box, in the garden, in the kitchen, in the room, on the floor, in the bag, on the bed, in "
    "the street, in the car, under the tree, behind the house, near the door, in the basket"
)
FOODS = words(
    "coffee, tea, milk, bread, cheese, fish, meat, rice, soup, chocolate, apples, bananas, cats, dogs, horses, music, "
    "football = soccer, tennis, books, films = movies, winter, summer, swimming, dancing, cooking, wine, beer, pizza, "
    "chicken, eggs"
)
ADJECTIVES = words(
    "big///small = large///small, old///new, clean///dirty, heavy///light, cheap///expensive, good///bad, "
    "beautiful///ugly = pretty///ugly, small///big = little///large, strong///weak, new///old, wet///dry, dirty///clean"
)
TASTES = words("hot///cold, cold///hot, good///bad = tasty///bad, sweet///bitter, warm///cold, fresh///old")
IMPRESSIONS = words(
    "long///short, short///long, interesting///boring = exciting///dull, boring///interesting = dull///exciting, good///bad, "
    "bad///good = terrible///great, easy///difficult = simple///hard, difficult///easy = hard///simple, loud///quiet, "
    "funny///sad, sad///funny"
)
VIEWS = words(
    "big///small = large///small, old///new, clean///dirty, empty///full, cheap///expensive, dark///bright, quiet///loud, "
    "beautiful///ugly = pretty///ugly, safe///dangerous, small///big = little///large, open///closed = open///shut"
)
TWO_SIDED = words(
    "open///closed = open///shut, wet///dry, safe///dangerous = harmless///dangerous, clean///dirty, "
    "closed///open = shut///open, dirty///clean, dry///wet, dangerous///safe"
)
DISHES = words("coffee, tea, milk, soup, bread, cake, rice, pizza, water, wine, breakfast, lunch, dinner, fish, meat")
STORIES = words(
    "film = movie, test, story, song, game = match, meeting, party, book, lesson = class, concert, play, show, trip, speech"
)
OPENING = words(
    "bank, library, museum, market, post office, shop = store, zoo, cinema, restaurant, pharmacy, school, office, "
    "supermarket, bakery, clinic, pool"
)
GATHERINGS = words(
    "meeting, party, concert, lesson = class, film = movie, game = match, test, dinner, wedding, show, race, course, trip, play"
)

DOING = words(
    "playing in the garden, sleeping in the car, working in a bank, working in a hospital, sitting on the bed, "
    "running in the park, swimming in the lake, reading a book, watching TV, eating an apple, drinking tea, dancing "
    "in the street, singing a song, cooking dinner, learning English, writing a letter, waiting for the bus, looking "
    "for a job = searching for a job, talking to a friend = speaking to a friend, playing football, riding a bike, "
    "listening to music, cleaning the house, walking to school, driving to work"
)
GROUPS = words(
    "students/student = pupils/pupil, children/child = kids/kid, teachers/teacher, players/player, guests/guest, "
    "workers/worker, tourists/tourist, doctors/doctor, boys/boy, girls/girl, men/man, women/woman, soldiers/soldier, "
    "farmers/farmer, drivers/driver, neighbours/neighbour"
)
CROWDS = words("everybody = everyone, nobody = no one, somebody = someone")
ACHIEVING = words(
    "passed the test/pass the test, came to the wedding/come to the wedding, went to the lake/go to the lake, liked "
    "the film/like the film = liked the movie/like the movie, won a prize/win a prize, missed the bus/miss the bus, "
    "left early/leave early, came late/come late = arrived late/arrive late, got a present/get a present = received a "
    "gift/receive a gift, knew the answer/know the answer, stayed in bed/stay in bed, paid the bill/pay the bill, "
    "ate the cake/eat the cake, voted for the law/vote for the law, found a job/find a job, heard the noise/hear the "
    "noise"
)
WEATHERS = words("sunny, raining, snowing, windy, cold, hot, warm, cloudy = overcast, foggy = misty, dark, stormy")
DETERMINERS = words("the, a")
WALKS = tuple(trip for trip in TRIPS if str(trip) in {"took a bus", "took a taxi", "drove", "walked", "cycled", "ran"})
HAVING = words("has, saw, counted, drew")
STARTING = words("starts/start = begins/begin, ends/end = finishes/finish")
DAYS = words("on Monday, on Tuesday, on Wednesday, on Thursday, on Friday, on Saturday, on Sunday")
LIKING = words("likes/like = enjoys/enjoy, hates/hate, misses/miss")
DEGREES = words("very = really, too, always, so")
LIVING = words("lives/live, works/work, studies/study, stays/stay")
PARTS = words("all of, some of, most of, none of, half of, two of, three of")
SIDES_OF_THINGS = tuple(side for side in SIDES if "of" not in str(side) or "left" in str(side) or "front" in str(side))
SUBJECTS = words("I, we, they, you")
KEPT = (DETERMINERS, HEDGES, DEGREES)
"""Lists whose words do not change the meaning enough to make a non-paraphrase."""
CONTAINERS = words(
    "door, window, box, bag, bottle, cup, shop = store, bank, library, museum, hotel, restaurant, school, room, kitchen, "
    "street = road, bus, train, basket, garden, pool, car"
)
ACQUAINTANCES = words("my neighbour, my friend, my boss, my cousin, my teacher, my doctor = my physician, my guest, my tutor")
EVENINGS = words("tomorrow, tonight") + DAYS
