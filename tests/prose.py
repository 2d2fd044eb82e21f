"""A page of prose in each of six languages, written for planting quotes, and sentences that are in none of them.

Each page has what real pages have: names, dates, amounts, quotation marks, dashes, hyphens, broken lines.
"""

# ruff: noqa: E501 - prose has long lines and letters of many scripts

from __future__ import annotations

import re

from pipeline.readers.document import Document, Segment, SegmentKind

PAGES: dict[str, str] = {
    "en": """The lighthouse at Cape Merrow was built in 1874, of granite that two small steamers carried over from the mainland.
Its first keeper, a quiet man named Osgood Farrell, kept a journal in which he wrote down the weather, the ships he saw
and what he had eaten. On 3 March 1881 he counted forty-one vessels before noon; on the following day, none.
"I have never known the sea so empty," he wrote, "nor the house so loud." The keeper's wages were 18 pounds a quarter,
paid late more often than not, and he mended his own boots with sailcloth and tar.

When the lamp was changed to electric light - that was in the autumn of 1926 - the village held a supper in the boat-
house. Mrs. Tilda Arkwright baked nine pies; the schoolmaster gave a speech that nobody could hear because of the wind.
The old lens was packed in straw and sent to a museum, where a visitor can still see the scratch that a frightened
cormorant left on its lowest pane. The new light reached 24.5 miles and needed no one to wind it, which pleased the
harbour board and saddened the two assistant keepers, who were let go with a month's pay and a handshake.

Today the tower belongs to a trust of volunteers. They open it on Sundays from 10:30 to 16:00, charge 4.50 for the
stairs (all 132 of them), and tell anyone who asks that the journal was never lost: it lies in a tin box under the
counter, wrapped in the same oilcloth, and the last entry, dated December 30, 1902, says only that the fog has lifted.
A second volume was found in 2011 by a plumber looking for a leak. It is full of recipes, and of complaints about gulls.
""",
    "fr": """La boulangerie de la rue des Tanneurs ouvrait chaque matin à cinq heures et demie, été comme hiver, depuis l'année 1893.
Le père Anselme pétrissait encore à la main une pâte qu'il laissait dormir dix-huit heures sous un linge de lin.
« Le pain n'attend personne, disait-il, mais il faut savoir l'attendre. » Les clients venaient de trois villages, et
certains faisaient douze kilomètres à vélo pour une miche de 2,5 kilos qui coûtait alors quarante centimes.

Le 14 février 1938, une crue emporta le pont et l'on dut porter la farine à dos d'âne pendant sept semaines. La mairie
promit un nouvel ouvrage avant l'été ; il fut inauguré le 9 octobre 1941, sans fanfare, devant une poignée d'élèves et un
chien. L'institutrice, Mlle Hortense Quénard, nota dans le registre que « les œufs étaient rares et le cœur n'y était
pas ». On y lit aussi que le maire prononça un discours de onze minutes, dont personne ne retint un mot.

Aujourd'hui, la petite-fille d'Anselme dirige la maison avec son frère aîné. Ils ont remplacé le four à bois en 2004,
après de longues hésitations, par un modèle électrique de 36 kilowatts - un choix que les habitués leur reprochent encore,
surtout lorsqu'il pleut. La recette, elle, n'a pas changé : farine de meule, sel gris, eau du puits, et beaucoup de
patience. Les visiteurs peuvent goûter le pain noir le samedi entre 9 h 15 et midi ; il est prudent d'arriver tôt, car
tout est vendu avant onze heures. L'été dernier, un touriste en acheta vingt-deux d'un seul coup, pour un mariage.
""",
    "de": """Das Sägewerk am Oberen Weiher wurde im Frühjahr 1867 von den Brüdern Korbinian und Matthäus Lechthaler gegründet.
Das Wasserrad hatte einen Durchmesser von 4,20 Metern und trieb zwei Gattersägen an, deren Lärm man bis zur Kirche
hörte. »Wer am Weiher wohnt, braucht keinen Wecker«, hieß es im Dorf, und der Pfarrer verlegte die Frühmesse um eine
halbe Stunde. Im ersten Jahr wurden 1.250 Festmeter Fichte geschnitten, im zweiten schon fast doppelt so viel.

Am 11. November 1899 brannte das Trockenlager bis auf die Grundmauern nieder. Die Feuerwehr kam mit drei Spritzen aus
den Nachbargemeinden, doch der Weiher war zugefroren, und bis man ein Loch ins Eis geschlagen hatte, war nichts mehr zu
retten. Die Versicherung zahlte 18.400 Mark - weniger als die Hälfte des Schadens. Matthäus wanderte daraufhin nach
Brasilien aus; seine Briefe, die er mit violetter Tinte schrieb, liegen noch heute in der Schublade eines Schreib-
tischs im Heimatmuseum, zusammen mit einer gepressten Orchidee und einer Fahrkarte dritter Klasse.

Seit 1978 wird auf dem Gelände kein Holz mehr geschnitten. Ein Verein mit 64 Mitgliedern hält das Rad in Gang, führt
Schulklassen durch die Halle und verkauft sonntags Zwetschgenkuchen. Größere Reparaturen bezahlt die Gemeinde, so zuletzt
im Jahr 2015 die neue Welle aus Lärchenholz, die außergewöhnlich teuer war: Allein der Transport über die schmale
Brücke kostete 7.300 Euro. Der Müller von früher, inzwischen fünfundneunzig Jahre alt, kommt noch jeden Donnerstag.
""",
    "zh": """青石镇的钟楼建于一八七二年，所用的石料全部来自城北十二里外的采石场。第一任守钟人名叫顾长林，他每天清晨五点起床，先扫雪，
后敲钟，三十一年里只误过两次。镇上的老人说，他敲钟的时候从来不看表，只听河水的声音。一九〇五年三月八日，一场大火烧毁了半条街，
钟楼却安然无恙，只有东面的窗棂被熏黑了，至今还能看见痕迹。

“钟声比人走得远，”顾长林在日记里写道，“可是人比钟声走得久。”他的工钱是每月四块银元，常常拖欠，所以他在楼下种了些青菜，
还养了六只鸭子。一九二六年秋天，镇里决定换上电钟，为此在祠堂里摆了十八桌酒席。校长讲了将近一个小时，因为风太大，后排的人
一个字也没有听清。旧钟的铜锤被送到省城的博物馆，编号为2047，安放在二楼靠窗的玻璃柜里。

如今钟楼由一群志愿者照看，每逢星期日上午9:30开门，下午4:00关门，登楼的票价是15元。楼梯一共有一百三十二级，走到一半的地方有
一扇小窗，从那里可以望见整个河湾。2011年，一位修水管的师傅在墙缝里发现了第二本日记，里面几乎全是菜谱，还有不少对鸽子的抱怨。
志愿者们把它抄录下来，印了500册，每册售价28.5元，不到三个月就卖完了。有人提议再印一次，可是纸价涨了两成，这件事便搁了下来。
""",
    "ar": """بُنيت منارة رأس الريح سنة 1874 من حجارة نقلتها سفينتان صغيرتان من البر المقابل، وكان أول حارس لها رجلاً هادئاً يُدعى
سليم الحدّاد. كان يكتب في دفتره كل مساء حالة الطقس وأسماء السفن التي مرّت أمامه وما تناوله في عشائه. وفي الثالث من آذار
سنة 1881 عدَّ إحدى وأربعين سفينة قبل الظهر، أما في اليوم التالي فلم يرَ سفينة واحدة. «لم أعرف البحر خالياً إلى هذا الحد،
ولا البيت صاخباً إلى هذا الحد»، هكذا كتب بخط مائل. وكان راتبه ١٨ ليرة في كل فصل، يُدفع متأخراً في أغلب الأحيان.

وحين استُبدل المصباح القديم بمصباح كهربائي في خريف سنة ١٩٢٦، أقامت القرية عشاءً كبيراً في مخزن القوارب، وخبزت السيدة
وداد تسع فطائر بالجبن، وألقى المعلم كلمة لم يسمعها أحد بسبب الريح. ثم وُضعت العدسة القديمة في صندوق من القش وأُرسلت إلى
المتحف، حيث يستطيع الزائر أن يرى حتى اليوم خدشاً تركه طائر خائف على زجاجها. وكان الضوء الجديد يصل إلى مسافة 24 ميلاً ولا
يحتاج إلى من يديره، فسُرَّ بذلك مجلس المرفأ وحزن المساعدان اللذان فقدا عملهما.

واليوم تملك المنارة جمعية من المتطوعين، يفتحون أبوابها يوم الجمعة من الساعة 10:30 حتى الساعة 16:00، وثمن التذكرة خمسة
دنانير. ويقولون لكل من يسأل إن الدفتر لم يضع قط، فهو في علبة من الصفيح تحت الطاولة، ملفوف بالقماش نفسه. وفي سنة 2011 عثر
سبّاك كان يبحث عن تسرّب للماء على دفتر ثانٍ مليء بوصفات الطعام وبالشكوى من النوارس، فطبعت الجمعية منه 500 نسخة.
""",
    "hi": """पहाड़ी के ऊपर बना पुराना डाकघर सन् 1874 में खुला था और उसके पहले डाकिये का नाम रामदीन था। वह हर सुबह पाँच बजे उठता, अपने
घोड़े को दाना देता और फिर बारह गाँवों की चिट्ठियाँ लेकर निकल पड़ता। अपनी कॉपी में वह मौसम, रास्ते की हालत और मिलने वाले लोगों
के नाम लिखता था। 3 मार्च 1881 को उसने इकतालीस चिट्ठियाँ बाँटीं, लेकिन अगले दिन एक भी नहीं। “इतना सूना रास्ता मैंने कभी नहीं
देखा,” उसने लिखा, “और इतना शोर करने वाला घर भी नहीं।” उसका वेतन १८ रुपये महीना था, जो अक्सर देर से मिलता था।

जब 1926 की सर्दियों में डाकघर में बिजली आई, तो गाँव वालों ने मिलकर बड़ा भोज किया। शांति देवी ने नौ तरह की मिठाइयाँ बनाईं और
मास्टर जी ने ऐसा भाषण दिया जिसे तेज़ हवा के कारण कोई सुन नहीं पाया। पुरानी लालटेन को भूसे में लपेटकर शहर के संग्रहालय भेज
दिया गया, जहाँ आज भी उसके शीशे पर वह खरोंच दिखाई देती है जो एक डरे हुए पक्षी ने छोड़ी थी। नई रोशनी चौबीस मील दूर से दिखती
थी और उसे जलाने के लिए किसी आदमी की ज़रूरत नहीं थी।

अब यह इमारत स्वयंसेवकों की एक समिति के पास है। वे इसे रविवार को सुबह 10:30 बजे खोलते हैं और शाम 4:00 बजे बंद कर देते हैं;
टिकट का दाम पंद्रह रुपये है। सीढ़ियाँ कुल 132 हैं और बीच में एक छोटी खिड़की है, जहाँ से पूरी घाटी दिखाई देती है। सन् 2011 में
पानी का रिसाव ढूँढते हुए एक मिस्त्री को दीवार के भीतर दूसरी कॉपी मिली, जिसमें खाने की विधियाँ और कौवों की शिकायतें भरी थीं।
समिति ने उसकी 500 प्रतियाँ छपवाईं और हर प्रति का दाम २८ रुपये रखा।
""",
}
"""By language."""

INVENTED: dict[str, list[str]] = {
    "en": [
        "The committee voted to postpone the purchase of seventeen violins until the orchestra had found a roof.",
        "No invoice shall be honoured unless it is written on blue paper and signed by at least two beekeepers.",
        "Her grandmother had taught her to read maps by the smell of the ink and the weight of the fold.",
        "Penguins were counted every Tuesday afternoon, and the totals were telephoned to the ministry.",
        "In winter the tram stops at the bakery first, because the driver likes his rolls while they are warm.",
        "The melting point of the new alloy was determined with a borrowed thermometer and a great deal of hope.",
    ],
    "fr": [
        "Le comité décida de repousser l'achat de dix-sept violons jusqu'à ce que l'orchestre ait trouvé un toit.",
        "Aucune facture ne sera honorée si elle n'est pas écrite sur papier bleu et signée par deux apiculteurs.",
        "Les manchots étaient comptés chaque mardi après-midi, et les totaux téléphonés au ministère de la Marine.",
        "En hiver, le tramway s'arrête d'abord devant la fromagerie, car le conducteur aime bavarder au chaud.",
        "Le point de fusion du nouvel alliage fut déterminé avec un thermomètre emprunté et beaucoup d'espoir.",
    ],
    "de": [
        "Der Ausschuss vertagte den Kauf von siebzehn Geigen, bis das Orchester ein Dach über dem Kopf gefunden hat.",
        "Keine Rechnung wird beglichen, die nicht auf blauem Papier steht und von zwei Imkern unterschrieben ist.",
        "Die Pinguine wurden jeden Dienstagnachmittag gezählt und die Summen telefonisch dem Ministerium gemeldet.",
        "Im Winter hält die Straßenbahn zuerst an der Bäckerei, weil der Fahrer seine Brötchen gern warm isst.",
        "Der Schmelzpunkt der neuen Legierung wurde mit einem geliehenen Thermometer und viel Hoffnung bestimmt.",
    ],
    "zh": [
        "委员会决定暂缓购买十七把小提琴，直到乐团找到一处可以遮雨的排练场所为止。",
        "凡未用蓝色纸张书写并由至少两名养蜂人签字的发票，会计处一律不予受理。",
        "企鹅每星期二下午清点一遍，总数由值班的学生打电话报告给海洋部。",
        "冬天的电车总是先停在面包房门口，因为司机喜欢趁热吃刚出炉的小圆饼。",
        "新合金的熔点是用一支借来的温度计和极大的耐心一点一点测出来的。",
    ],
    "ar": [
        "قررت اللجنة تأجيل شراء سبعة عشر كماناً إلى أن تجد الفرقة سقفاً يحميها من المطر.",
        "لا تُقبل أي فاتورة ما لم تُكتب على ورق أزرق ويوقّعها اثنان على الأقل من مربّي النحل.",
        "كانت البطاريق تُعدّ بعد ظهر كل ثلاثاء وتُبلّغ الأعداد بالهاتف إلى الوزارة.",
        "في الشتاء يتوقف الترام أمام المخبز أولاً لأن السائق يحب الخبز الساخن.",
        "حُدّدت درجة انصهار السبيكة الجديدة بميزان حرارة مستعار وبكثير من الأمل.",
    ],
    "hi": [
        "समिति ने सत्रह वायलिन ख़रीदने का फ़ैसला तब तक टाल दिया जब तक वादकों को छत न मिल जाए।",
        "नीले काग़ज़ पर न लिखा गया और दो मधुमक्खी पालकों से न हस्ताक्षरित कोई भी बिल नहीं चुकाया जाएगा।",
        "पेंगुइनों की गिनती हर मंगलवार दोपहर को होती थी और योग मंत्रालय को फ़ोन पर बताया जाता था।",
        "जाड़ों में ट्राम पहले बेकरी पर रुकती है क्योंकि चालक को गरम रोटी पसंद है।",
        "नई मिश्रधातु का गलनांक उधार के तापमापी और ढेर सारी उम्मीद से निकाला गया।",
    ],
}
"""Sentences that stand in no document, by language."""


def page_of(language: str) -> Document:
    """The page of a language as a document, each of its paragraphs a page."""
    text = PAGES[language]
    starts = [0, *(match.end() for match in re.finditer("\n\n", text))]
    segments = tuple(
        Segment(SegmentKind.PAGE, start, end, page_number=number)
        for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=True), 1)
    )
    return Document(f"prose {language}", language, f"{language}.txt", "text", text, segments)
