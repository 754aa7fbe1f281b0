from tests.contract.clients.conftest import Office


def test_every_question_has_an_answer(office: Office) -> None:
    answers = office.answers()
    import json
    json.dump(answers, open("/tmp/answers.json", "w"))
    print(len(answers))
