import typer

app = typer.Typer()


@app.command()
def seats() -> None:
    pass
