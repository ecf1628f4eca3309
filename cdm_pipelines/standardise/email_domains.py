"""Mailboxes and domains that tell what kind of address it is.

Belongs here: word lists. Does not belong here: reading an address (email). Disposable domains come from the package
disposable-email-domains.
"""

from cdm_pipelines.standardise.vocabulary import words

# Providers where anybody can have a mailbox, in the Netherlands and around: webmail and internet access.
FREEMAIL = words(
    """
    gmail.com googlemail.com outlook.com outlook.nl outlook.be outlook.de outlook.fr hotmail.com hotmail.nl hotmail.be
    hotmail.de hotmail.fr hotmail.co.uk hotmail.it hotmail.es live.com live.nl live.be live.fr live.de live.co.uk
    msn.com msn.nl passport.com windowslive.com yahoo.com yahoo.nl yahoo.co.uk yahoo.de yahoo.fr yahoo.es yahoo.it
    ymail.com rocketmail.com aol.com aol.de icloud.com me.com mac.com protonmail.com protonmail.ch proton.me pm.me
    tutanota.com tutanota.de tuta.io fastmail.com fastmail.fm hushmail.com hey.com zoho.com zohomail.eu mail.com
    gmx.com gmx.net gmx.de gmx.at gmx.ch web.de freenet.de t-online.de arcor.de mail.de posteo.de mailbox.org
    freemail.hu seznam.cz wp.pl o2.pl onet.pl interia.pl libero.it virgilio.it tiscali.it laposte.net orange.fr
    wanadoo.fr free.fr sfr.fr bbox.fr bluewin.ch btinternet.com sky.com virginmedia.com ntlworld.com talktalk.net
    comcast.net verizon.net att.net sbcglobal.net bellsouth.net cox.net charter.net earthlink.net rogers.com shaw.ca
    sympatico.ca bigpond.com optusnet.com.au mail.ru yandex.ru yandex.com bk.ru inbox.ru list.ru rambler.ru qq.com
    163.com 126.com naver.com rediffmail.com uol.com.br bol.com.br terra.com.br abv.bg
    ziggo.nl kpnmail.nl kpnplanet.nl planet.nl hetnet.nl xs4all.nl home.nl casema.nl chello.nl upcmail.nl quicknet.nl
    multiweb.nl wxs.nl tele2.nl telfort.nl telfortglasvezel.nl online.nl zonnet.nl tiscali.nl wanadoo.nl freeler.nl
    caiway.nl caiway.net solcon.nl solcon.com zeelandnet.nl delta.nl deltanet.nl kabelfoon.nl onsbrabantnet.nl
    onsnet.nu kliksafe.nl filternet.nl concepts.nl introweb.nl lijbrandt.nl plex.nl fiber.nl scarlet.nl versatel.nl
    12move.nl orange.nl t-mobilethuis.nl odido.nl freedom.nl hccnet.nl dds.nl xmsnet.nl cs.com compuserve.com
    startmail.com mail.nl live.at telenet.be skynet.be proximus.be scarlet.be voo.be pandora.be belgacom.net
    euphonynet.be base.be
    """
)

# Mailboxes of a function, read by whoever has it.
ROLES = words(
    """
    info information contact sales support service services help helpdesk servicedesk office mail email post admin
    administrator administration administratie boekhouding facturen factuur facturatie invoice invoices billing
    accounting accounts finance financien financieel debiteuren crediteuren incasso inkoop purchasing procurement
    orders order bestelling bestellingen verkoop klantenservice klantcontact customerservice customercare
    service-desk receptie reception balie secretariaat secretary bestuur directie management hr personeel
    personeelszaken jobs vacatures recruitment sollicitatie marketing communicatie pr pers press redactie nieuwsbrief
    newsletter news webmaster web website webshop shop winkel store hostmaster postmaster abuse security noc privacy
    fg dpo avg legal juridisch noreply no-reply donotreply do-not-reply planning logistiek magazijn warehouse
    expeditie export import transport reservering reserveringen reservations booking boekingen events team hallo
    hello welkom welcome algemeen general kantoor praktijk winkels filiaal retour retouren returns rma techniek
    storing kwaliteit quality ict it systeembeheer beheer
    """
)
