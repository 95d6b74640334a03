"""The nouns of the word_order data set: everyday English."""

from paraphrase_lab.word_order.grammar import Word, words

NAMES = words(
    "Adam, Alice, Amy, Andrew, Anna, Ben, Bella, Bob, Carl, Chris, Clara, Daniel, David, Diana, Edward, Emily, Emma, "
    "Eric, Eva, Felix, Fiona, Frank, George, Grace, Hannah, Helen, Henry, Ivan, Jack, James, Jane, John, Julia, Karl, "
    "Kate, Kevin, Laura, Leo, Linda, Lisa, Lucas, Lucy, Maria, Mark, Martin, Mary, Michael, Nina, Nora, Oliver, Oscar, "
    "Paul, Paula, Peter, Rachel, Robert, Rosa, Sam, Sarah, Simon, Sofia, Steve, Susan, Thomas, Tim, Tina, Tom, Victor, "
    "Walter, Wendy, Ada, Alan, Carla, Charles, Claire, Dan, Ella, Elena, Hugo, Irene, Jessica, Joe, Kim, Louis, Luke, "
    "Mia, Mike, Monica, Nick, Olga, Patrick, Ruth, Sara, Sally, Sven, Ted, Tara, Vera, William, Zoe"
)
KIN = words(
    "my mother = my mum, my father = my dad, my brother, my sister, my uncle, my aunt, my cousin, my son, my daughter, my"
    " wife, my husband, my neighbour, my friend, my boss, my grandmother = my grandma, my grandfather = my grandpa, my "
    "nephew, my niece, my girlfriend, my boyfriend, my teacher, my doctor, my coach, our neighbour, our teacher"
)
RELATIVES = words("my brother, my sister, my cousin, my son, my daughter, the boy, the girl, the student")
JOBS = words(
    "teacher, doctor = physician, driver, nurse, lawyer = attorney, baker, farmer, policeman = police officer, soldier, "
    "singer, painter, writer = author, waiter, cook, student, boy, girl, man, woman, king, queen, tourist, thief, "
    "dentist, pilot, old man, old woman, young man, young woman, little boy, little girl, tall man, mechanic, gardener, "
    "manager, butcher, plumber, postman, judge, actor, secretary, guide, neighbour"
)
WORKERS = tuple(Word(f"the {job}", same=job.same and Word(f"the {job.same}")) for job in JOBS)
PEOPLE = NAMES + KIN + WORKERS
SPEAKERS = (Word("I", "me", "am"), Word("he", "him", "is"), Word("she", "her", "is"))
"""Pronouns: base is the object, done the form of to be."""
WHO = words("I, we, they, he, she, you")
TRAVELLERS = WHO + NAMES[:30]
CITIES = words(
    "Athens, Berlin, Boston, Cairo, Chicago, Delhi, Dublin, Geneva, Lisbon, London, Madrid, Milan, Moscow, New York, "
    "Oslo, Paris, Prague, Rome, Seoul, Sydney, Tokyo, Toronto, Vienna, Warsaw, France, Spain, Italy, Germany, Japan, "
    "China, India, England, Canada, Brazil, Egypt, Greece"
)
PLACES = words(
    "bakery, bank, bridge, castle, church, cinema, clinic, factory, garden, hospital, hotel, house, library, market, "
    "museum, palace, park, pharmacy, post office, restaurant, school, shop = store, stadium, station, supermarket, "
    "temple, theatre, tower, zoo, airport, beach, coffee shop, farm, gym, harbour, lake, river, playground, swimming "
    "pool, police station, bus stop, cathedral"
)
THINGS = words(
    "bag, ball, basket, bicycle = bike, book, bottle, box, camera, car, chair, coat, cup, guitar, hat, key, knife, lamp, "
    "letter, map, mirror, newspaper, phone = telephone, picture, plate, present = gift, radio, ring, shirt, sofa = couch,"
    " table, television = TV, ticket, toy, watch, computer, laptop, pen, pencil, clock, umbrella, wallet, glass, jacket, "
    "dress, scarf, backpack = rucksack, suitcase, blanket, pillow, candle, doll, violin, piano, bed, desk, spoon, fork, "
    "bowl, vase, flower, card"
)
OBJECTS = tuple(thing for thing in THINGS if str(thing) not in {"car", "letter", "card", "flower", "present"})
GIFTS = tuple(
    thing
    for thing in OBJECTS
    if str(thing) not in {"sofa", "table", "television", "ticket", "piano", "bed", "desk", "umbrella"}
)
ANIMALS = words(
    "dog, cat, horse, cow, pig, sheep, lion, tiger, bear, wolf, fox, mouse, rat, rabbit, snake, bird, duck, chicken, "
    "monkey, goat, donkey, elephant, frog, deer, camel, turtle, eagle, squirrel"
)
CHASED = ANIMALS + words("boy, girl, man, woman, child = kid, farmer, hunter")
MACHINES = words(
    "car, bus, train, boat, bicycle = bike, truck = lorry, taxi = cab, plane = aeroplane, ship, motorbike = motorcycle, "
    "tractor, van, lift = elevator, scooter, helicopter"
)
TITLES = words("coach, doctor, driver, guide, lawyer = attorney, nurse, tutor, assistant, cook, manager")
RELATIONS = words("teacher///student, boss///employee, landlord///tenant, host///guest")
COUNTED = words(
    "apples/apple, eggs/egg, books/book, cups/cup, keys/key, shirts/shirt, shoes/shoe, cakes/cake, flowers/flower, "
    "oranges/orange, coins/coin, pens/pen, letters/letter, bottles/bottle, tickets/ticket, plates/plate, knives/knife, "
    "photos/photo, bananas/banana, potatoes/potato, tomatoes/tomato, spoons/spoon, pencils/pencil, stamps/stamp, "
    "candles/candle, toys/toy, sandwiches/sandwich"
)
OWNED = COUNTED + words(
    "dollars/dollar, bags/bag, chairs/chair, cats/cat, dogs/dog, horses/horse, brothers/brother, sisters/sister, "
    "children/child = kids/kid, friends/friend, cars/car, houses/house, students/student"
)
SPOTS = words(
    "on the table, in the box, in the bag, on the bed, on the floor, in the car, in the basket, in the fridge, on the "
    "chair, on the shelf, in the suitcase, on the desk"
)
FOODS = words(
    "coffee, tea, milk, bread, cheese, fish, meat, rice, soup, chocolate, apples, bananas, wine, beer, pizza, chicken, "
    "eggs, potatoes, tomatoes, salad, cake, juice, butter, honey, pasta, ice cream, sandwiches, carrots, lemonade"
)
PASTIMES = words(
    "music, football, tennis, films = movies, swimming, dancing, cooking, running, chess, basketball, hiking, "
    "reading, singing, painting, skiing, fishing, gardening, poems, jazz"
)
PETS = words("cats, dogs, horses, birds, rabbits, mice")
DISHES = words(
    "coffee, tea, milk, soup, bread, cake, rice, pizza, breakfast, lunch, dinner, fish, meat, pasta, salad, chicken, pie,"
    " juice, sandwich"
)
STORIES = words(
    "film = movie, story, song, party, book, concert, play, show, trip, speech, poem, video, holiday = vacation, interview"
)
LESSONS = words("test = exam, lesson = class, course, homework, game")
OPENING = words(
    "bank, library, museum, market, post office, shop = store, zoo, cinema, restaurant, pharmacy, office, supermarket, "
    "bakery, clinic, pool"
)
GATHERINGS = words(
    "meeting, party, concert, lesson = class, film = movie, game = match, test, dinner, wedding, show, race, course, "
    "trip, play, interview, speech, visit"
)
GROUPS = words(
    "students/student, children/child = kids/kid, teachers/teacher, players/player, guests/guest, workers/worker, "
    "tourists/tourist, doctors/doctor, boys/boy, girls/girl, men/man, women/woman, soldiers/soldier, farmers/farmer, "
    "drivers/driver, neighbours/neighbour, nurses/nurse, singers/singer, pilots/pilot"
)
HANGING = words("lamp, picture, mirror, clock, shelf, map, window, television = TV")
CONTAINERS = words("door, window, box, bag, bottle, shop = store, bank, library, museum, hotel, restaurant, school, pool")
WASHABLE = words("bag, basket, bottle, cup, car, plate, shirt, coat, kitchen, room, street = road, floor, table, chair, window")
ACQUAINTANCES = words("my neighbour, my friend, my boss, my cousin, my teacher, my doctor = my physician, my guest, my tutor")
POSTED = tuple(gift for gift in GIFTS if str(gift) != "card") + words("letter, message, postcard")
POSITIONS = words(
    "teacher, doctor = physician, driver, nurse, lawyer, baker, farmer, singer, painter, writer, waiter, cook, dentist, "
    "pilot, gardener, mechanic, butcher, manager, secretary, police officer"
)
STORED = words("milk, juice, tea, coffee, bread, cheese, rice, soup, sugar, butter, honey, meat, water, wine, fruit, salt")
STORES = words("in the fridge, in the kitchen, on the table, in the bag, in the box, in the house, in the shop = in the store")
