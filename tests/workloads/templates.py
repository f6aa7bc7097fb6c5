# SPDX-License-Identifier: MIT
"""A regex and template engine: 30,000 articles, 60 compiled patterns, 40 Jinja2 templates; workers search and
render pages."""
import re

import jinja2

import generate
import service

ARTICLES = 30000
PAGE = """{% macro price(value) %}{{ "%.2f"|format(value) }} EUR{% endmacro -%}
<h1>{{ title|upper }} {{ number }}</h1>
<ul>
{% for article in articles if article.price > least -%}
<li class="{{ loop.cycle('odd', 'even') }}">{{ article.title|title|e }}: {{ price(article.price) }}
{%- for tag in article.tags %} <a href="/tag/{{ tag|urlencode }}">{{ tag }}</a>{% endfor %}</li>
{% else %}<li>nothing</li>
{%- endfor %}
</ul>
<p>{{ articles|map(attribute="title")|join(", ")|truncate(200) }} @NUMBER@</p>
"""


class Article:
    def __init__(self, source, number):
        self.number = number
        self.title = source.words(3)
        self.text = "%s, ordered %s for %s. %s" % (source.words(8), source.date(), source.words(1), source.words(40))
        self.price = source.price()
        self.tags = [source.choice(generate.CATEGORIES) for _ in range(3)]


class Site:
    def __init__(self):
        source = generate.Source(13)
        self.articles = [Article(source, number) for number in range(ARTICLES)]
        pages = {"page%d" % n: PAGE.replace("@NUMBER@", str(n)) for n in range(40)}
        self.environment = jinja2.Environment(loader=jinja2.DictLoader(pages), autoescape=True)
        self.pages = [self.environment.get_template(name) for name in sorted(pages)]
        self.patterns = [re.compile(r"\b%s\W+(?:\w+\W+){0,3}?%s\b" % (first, second))
                         for first, second in zip(generate.WORDS, generate.WORDS[7:] + generate.WORDS)]
        self.ordered = re.compile(r"ordered (?P<year>\d{4})-(?P<month>\d\d)-\d\d")

    def search(self, number):
        """One shard of the articles: those that match a pattern, by year."""
        pattern = self.patterns[number % len(self.patterns)]
        years = {}
        for article in self.articles[number % 8::8]:
            if pattern.search(article.text):
                year = self.ordered.search(article.text).group("year")
                years.setdefault(year, []).append(article.number)
        return sorted((year, len(found), found[0]) for year, found in years.items())

    def render(self, number):
        first = number * 1500 % ARTICLES
        page = self.pages[number % len(self.pages)]
        text = page.render(title="articles", number=number, least=500, articles=self.articles[first:first + 400])
        return re.sub(r"<[^>]*>", "", text)

    def request(self, number):
        return self.search(number) if number % 2 else self.render(number)


if __name__ == "__main__":
    service.main(Site, requests=80)
