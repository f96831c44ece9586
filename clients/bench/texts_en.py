"""Built-in texts in English: what an assistant says. Slots are filled by `clients.bench.slots`.

Each sentence has a slot, and so has each first clause, so that no piece that a server may keep comes
back.
"""

from __future__ import annotations

TEXTS_EN = (
    "Hello {person}, your trip {route} is booked. Please be there on {time}.",
    "It is {time} now, and the {item} is still in the car. Shall I tell {person}?",
    "Parcel {code} has arrived at {address}. The driver was {person}, and the fee was {price}.",
    "The book {title} is on the third floor, right next to {title}.",
    "I have set a reminder for {person}, and it will ring on {time}.",
    "That table costs {price}, but the {item} is on sale. Would you like to see it at {address}?",
    "There are {count} left in the store, and {count} are on their way.",
    "Did {person} call you back? The meeting on {time} has moved to {address}.",
    "Tickets {route} are sold out for {time}. I could look for a seat near {person} instead.",
    "Your invoice {code} comes to {price}. It is due on {time}.",
    "In {title}, a girl called {person} finds {count} under the floor.",
    "Turn right into {address}, then continue to {address}. Parking costs {price}.",
    "The {item} that {person} ordered is ready. You can collect it at {address}.",
    "We sold {count} last month, which is more than the {count} we had planned.",
    "Room {code} is free on {time}. I have invited {person} and {person}.",
    "If you liked {title}, you will probably enjoy {title} as well.",
    "The doctor, {person}, can see you on {time}. Your number is {code}.",
    "Could you put the {item} on the left, and the {item} on the right? Then call {person}.",
    "Service {code} {route} is delayed. The new time is {time}.",
    "Good morning {person}, you have {count} in your basket. Together they cost {price}.",
    "Your flight {route} leaves from gate {code}. Boarding begins on {time}.",
    "I found three recipes by {person}, and all of them need {count}.",
    "The alarm for {time} is off, and the new one is set for {time}.",
    "Chapter {code} of {title} is waiting for you. Should I go on reading for {person}?",
    "The garden at {address} belongs to {person}. She grows {count} every year.",
    "Our budget is down to {price}, so buying {count} is out of the question.",
    "The {item} is out of stock, but the {item} is only {price}.",
    "Congratulations {person}, you have won the {item}! The ceremony is on {time}.",
    "The road {route} is closed. {person} says it opens on {time}.",
    "Do you want the {item} for {price}, or the {item} for {price}?",
    "Patient {code} should come back on {time}. Doctor {person} has left a note about the {item}.",
    "There was a fire at {address}, but {person} got out in time.",
    "Please send {count} to {address}. {person} will sign for them.",
    "My favourite story is {title}, and the second best is {title}. Ask {person} why.",
    "The clause {code} is clear, because {count} must be delivered by {time}.",
    "The museum shows {title} until {time}. They have {count} to sell.",
    "Your order of {count} was changed by {person}. The difference is {price}.",
    "Thank you, {person}, I have noted {address} as your new address. The letter {code} will go there.",
    "The app {app} needs an update, and so does {app}. It takes until {time}.",
    "You left the {item} with {person}. The lost property number is {code}.",
    "A room near {address} costs {price} a night. Shall I ask {person} to book it?",
    "Today we read about {person}, who travelled {route}. It took her {count} to get there.",
)
