# SPDX-License-Identifier: MIT
"""A Flask request loop: a catalogue of 40,000 objects behind three routes, each request a call of the WSGI
application. `gunicorn --preload -w 4 web:app` serves the same application."""
import io
import json
import sys

from flask import Flask, jsonify, render_template_string, request

import generate
import service
from web_urls import PRODUCTS, url

PAGE = """<h1>{{ category }}</h1>
{% for product in products %}<p>{{ product.name }} {{ product.price }} {{ product.stock.values()|sum }}</p>
{% endfor %}"""


class Product:
    def __init__(self, source, number):
        self.number = number
        self.name = source.words(3)
        self.category = source.choice(generate.CATEGORIES)
        self.price = source.price()
        self.stock = {country: source.number(900) for country in generate.COUNTRIES[number % 6:number % 6 + 6]}


app = Flask(__name__)
app.config["PROPAGATE_EXCEPTIONS"] = True


@app.route("/product/<int:number>")
def product(number):
    found = CATALOGUE[number]
    return jsonify(name=found.name, price=found.price, stock=sum(found.stock.values()))


@app.route("/search")
def search():
    word, least = request.args["word"], float(request.args["least"])
    found = [p.number for p in CATALOGUE if p.price > least and word in p.name]
    return jsonify(found=len(found), first=found[:10])


@app.route("/category/<name>")
def category(name):
    first = int(request.args["first"])
    products = [p for p in CATALOGUE[first:first + 2000] if p.category == name]
    return render_template_string(PAGE, category=name, products=products)


def load():
    source = generate.Source(23)
    return [Product(source, number) for number in range(PRODUCTS)]


def environ(path, query):
    """What a WSGI server makes of a request."""
    return {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query,
            "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": "localhost", "HTTP_ACCEPT": "*/*", "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(),
            "wsgi.errors": sys.stderr, "wsgi.multithread": False, "wsgi.multiprocess": True,
            "wsgi.run_once": False}


class Shop:
    def request(self, number):
        status = []
        body = app(environ(*url(number)), lambda code, headers, exc_info=None: status.append(code))
        text = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        assert status[0] == "200 OK", (url(number), status, text)
        return len(text) if number % 10 == 5 else json_of(text)


def json_of(text):
    """Versions of Flask space their JSON differently."""
    return sorted(json.loads(text).items())


CATALOGUE = load()

if __name__ == "__main__":
    service.main(Shop, requests=1000)
